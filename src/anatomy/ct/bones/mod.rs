//! Bones outside the vertebrae, and what they say about levels.

mod axis;
pub(super) mod column;
mod hip_joint;
mod name;
mod regions;
mod sacrum;

pub use name::name;

use super::coarse::Coarse;
use super::ribs;
use crate::anatomy::model::Anatomy;
use crate::kernels::BitMask;
use crate::volume::Volume;

/// What the bones beside the column are, and what they tell of the levels of the vertebrae.
pub fn look(anatomy: &mut Anatomy, volume: &Volume<i16>, coarse: &Coarse) {
    let Some(bone) = anatomy.bone.as_ref().map(|bone| on_coarse(bone, volume, coarse)) else {
        return;
    };
    let Some(column) = column::Column::new(anatomy.canal.as_ref(), &anatomy.vertebrae) else {
        return;
    };
    let ribs = ribs::ribs(coarse, &bone, &column);
    let sacrum = sacrum::anchor(coarse, &column);
    name(anatomy, volume, coarse, &bone, &column, &ribs, sacrum.as_ref());
    let told = regions::regions(coarse, &bone, &column, &anatomy.vertebrae, &ribs, sacrum.as_ref());
    anatomy.bones = Some(told);
}

/// A mask on the grid of the series, asked at the coarse voxels.
fn on_coarse(mask: &BitMask, volume: &Volume<i16>, coarse: &Coarse) -> BitMask {
    BitMask::from_fn(coarse.hu.size(), |i, j, k| {
        volume.grid.nearest(coarse.place(i, j, k)).is_some_and(|at| mask.at(at.i, at.j, at.k))
    })
}
