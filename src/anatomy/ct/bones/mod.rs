//! Bones outside the vertebrae, and what they say about levels.

mod arches;
mod axis;
pub(super) mod column;
mod hip_joint;
mod name;
mod regions;
mod sacrum;

use name::name;
pub use sacrum::Joints;

use super::coarse::Coarse;
use super::ribs;
use crate::anatomy::levels::ChainLevels;
use crate::anatomy::model::{Anatomy, Arches, Bones};
use crate::geometry::{ContinuousIndex, Grid, VoxelIndex};
use crate::kernels::BitMask;
use crate::volume::Volume;

/// What the bones beside the column are, and what they tell of the levels of the vertebrae.
pub struct Told {
    /// Levels and candidates of every vertebra.
    pub levels: ChainLevels,
    /// What lies behind the bodies.
    pub arches: Arches,
    /// The other bones.
    pub bones: Bones,
}

impl Told {
    /// Gives every vertebra its level.
    pub fn add_to(self, anatomy: &mut Anatomy) {
        let ChainLevels { levels, candidates, problems } = self.levels;
        for ((vertebra, level), candidates) in
            anatomy.vertebrae.iter_mut().zip(levels).zip(candidates)
        {
            vertebra.level = level;
            vertebra.level_candidates = candidates;
        }
        anatomy.problems.extend(problems);
        anatomy.arches = Some(self.arches);
        anatomy.bones = Some(self.bones);
    }
}

/// Looks at the bones beside the column; `None` without bone or column.
pub fn look(anatomy: &Anatomy, volume: &Volume<i16>, coarse: &Coarse) -> Option<Told> {
    let bone = on_coarse(anatomy.bone.as_ref()?, volume, coarse);
    let column = column::Column::new(anatomy.canal.as_ref(), &anatomy.vertebrae)?;
    let ribs = ribs::ribs(coarse, &bone, &column);
    let sacrum = sacrum::anchor(coarse, &column);
    let sacrum = sacrum.as_ref();
    let vertebrae = &anatomy.vertebrae;
    let is_s1 = |n: usize| {
        let told = sacrum.is_some_and(|anchor| usize::try_from(anchor.position) == Ok(n));
        told || anatomy.ends.s1.as_ref().is_some_and(|end| end.vertebra == vertebrae[n].id)
    };
    let ((levels, arches), bones) = rayon::join(
        || {
            let levels = name(anatomy, volume, coarse, &bone, &column, &ribs, sacrum);
            let processes = &ribs.processes;
            (levels, arches::arches(coarse, &bone, &column, vertebrae, processes, is_s1))
        },
        || regions::regions(coarse, &bone, &column, vertebrae, &ribs, sacrum),
    );
    Some(Told { levels, arches, bones })
}

/// What the joints with the hip bones say of the lowest vertebrae.
pub fn joints(anatomy: &Anatomy, coarse: &Coarse) -> Joints {
    column::Column::new(anatomy.canal.as_ref(), &anatomy.vertebrae)
        .map_or_else(Joints::default, |column| sacrum::joints(coarse, &column))
}

/// A mask on the grid of the series, asked at the coarse voxels.
fn on_coarse(mask: &BitMask, volume: &Volume<i16>, coarse: &Coarse) -> BitMask {
    let native = &volume.grid;
    let size = coarse.hu.size();
    let Some([along_i, along_j, along_k]) = nearest_along(native, &coarse.grid) else {
        return BitMask::from_fn(size, |i, j, k| {
            native.nearest(coarse.place(i, j, k)).is_some_and(|at| mask.at(at.i, at.j, at.k))
        });
    };
    BitMask::from_fn(size, |i, j, k| match (along_i[i], along_j[j], along_k[k]) {
        (Some(i), Some(j), Some(k)) => mask.at(i, j, k),
        _ => false,
    })
}

/// For each i, j, k of one grid the nearest i, j, k of another along the same axes, `None` outside;
/// `None` when their axes differ.
fn nearest_along(native: &Grid, coarse: &Grid) -> Option<[Vec<Option<usize>>; 3]> {
    for axis in 0..3 {
        let step = coarse.step(axis);
        let ContinuousIndex { i, j, k } = native.vector_to_index(step);
        for other in (0..3).filter(|&other| other != axis) {
            if [step.x(), step.y(), step.z()][other] != 0.0 || [i, j, k][other] != 0.0 {
                return None;
            }
        }
    }
    Some([0, 1, 2].map(|axis| {
        let along = |n: usize| {
            let mut at = [0; 3];
            at[axis] = n;
            let [i, j, k] = at;
            let c = native.to_index(coarse.voxel_to_lps(VoxelIndex { i, j, k }));
            let nearest = libm::round([c.i, c.j, c.k][axis]);
            let inside = nearest >= 0.0 && nearest < native.size()[axis] as f64;
            inside.then_some(nearest as usize)
        };
        (0..coarse.size()[axis]).map(along).collect()
    }))
}
