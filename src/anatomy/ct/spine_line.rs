//! From the canal map to a proven line of frames along the spine, or to "no spine".

use rayon::prelude::*;

use super::canal_map::canal_map;
use super::canal_path::{CanalPath, best_path, blank_around};
use super::centre_line::{centre_line, every_millimetre, frames, smoothed};
use super::coarse::{Coarse, turned_coarse_grid};
use super::parameters::Parameters;
use super::symmetry::{Symmetry, symmetry};
use super::twin::{has_twin, middle_of_tissue};
use crate::geometry::{Frame, LpsPoint, LpsVector};
use crate::kernels::{Array3, interpolate, linear_fit, longest_bridged_run, median};
use crate::volume::Volume;

/// Line drawn out beyond the path at both ends, mm: bodies reach beyond their canal.
const EXTENSION_MM: usize = 25;
/// How often a line that was not symmetric enough is moved onto its plane of symmetry.
const REFITS: usize = 2;
/// How far from the middle of the patient's tissue the canal may run when it is sought there alone, at no cost, mm: a
/// spine that leans, a patient who lies turned; sacroiliac joints lie 50 mm and farther beside it, sacral foramina 20.
const NEAR_MIDDLE_MM: f64 = 15.0;
/// Length of the end of the line that says where its plane of symmetry runs on, mm.
const PLANE_FIT_MM: usize = 60;
/// Turn of a patient from which the search is repeated on a grid turned likewise, radians (15
/// degrees): the symmetry search reaches 24.
const RETURN_FROM: f64 = 0.26;
/// Turns of the patient that are tried for a path, radians (0, 36 and -36 degrees): with the reach
/// of the symmetry search up to 60 degrees.
const TURNS: [f64; 3] = [0.0, 0.63, -0.63];
/// Paths that are tried.
const TRIES: usize = 3;
/// A path of this length is a spine more likely than not, and one longer by `LONGER_MM` is one even
/// where it is little symmetric (a curved spine): no other path was longer than 130 mm.
const LONG_PATH_MM: f64 = 130.0;
const LONGER_MM: f64 = 100.0;
/// What that length counts as proof, and as mirror correlation.
const LENGTH_PROOF: f64 = 0.5;
const LENGTH_SYMMETRY: f64 = 0.08;
/// No spine runs farther off the long axis of the patient than this over its length, degrees: 40 at most where chests lie
/// tilted by 20; the shaft of a raised arm, a tube of bone as well, 55 and 72.
const MOST_ASLANT_DEGREES: f64 = 50.0;

/// Air about a patient is thinner than this, HU: medians before the spine are -961 to -1018 in eight series, those of lung
/// -825 to -866 in two; a lung with much emphysema passes for air and is refused as before.
const AIR_BELOW_HU: f64 = -930.0;

/// A line of frames along the spine, one millimetre apart, from feet to head.
pub struct SpineLine {
    /// Frames: `up` along the canal, `anterior` in the plane of symmetry.
    pub frames: Vec<Frame>,
    /// Mirror correlation at each frame.
    pub symmetry: Vec<f64>,
    /// The stretch that was followed through the canal map and found symmetric; beyond it the
    /// line is drawn out straight.
    pub followed: std::ops::Range<usize>,
    /// Median turn of the patient's front towards the left where it is most symmetric, radians.
    pub turn: f64,
    /// What it rests on.
    pub proof: Proof,
    /// What was refused before it was found near the middle of the patient alone: such a line is that of a sacrum, if the
    /// bodies before it show one.
    pub after: Option<Refusal>,
}

impl SpineLine {
    /// Whether it has so many times the weight of another. One that was found near the middle alone is the lesser whatever
    /// it weighs: it may come to nothing.
    pub fn outweighs(&self, other: &Self, times: f64) -> bool {
        match (self.after.is_some(), other.after.is_some()) {
            (true, false) => false,
            (false, true) => true,
            _ => self.proof.weight_mm() > times * other.proof.weight_mm(),
        }
    }
}

/// What speaks for a spine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    /// Sum of canal likeness over 0.5, mm.
    pub score: f64,
    /// Length of the canal path, mm.
    pub length_mm: f64,
    /// Median mirror correlation over the symmetric stretch.
    pub symmetry: f64,
    /// Length of the symmetric stretch without what parts it, mm.
    pub symmetric_mm: f64,
}

impl Proof {
    /// Length of the symmetric stretch, more the more symmetric it is: what the better of two
    /// lines has more of.
    pub fn weight_mm(&self) -> f64 {
        self.symmetric_mm * (self.symmetry - 0.4)
    }
}

/// Why nothing was taken for a spine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// No path through the canal map is long and canal-like enough.
    NoCanal,
    /// A path was found, but the bone about it is no mirror image of itself, or it runs right
    /// below the skin in front.
    NotASpine {
        /// Lowest and highest z of the path, mm.
        from_z_mm: f64,
        /// See `from_z_mm`.
        to_z_mm: f64,
    },
    /// A path was found, but it runs across the patient, as the shaft of a raised arm does.
    Aslant {
        /// Lowest and highest z of the path, mm.
        from_z_mm: f64,
        /// See `from_z_mm`.
        to_z_mm: f64,
    },
    /// A path was found, but it has a mirror image on the other side of the patient, as hips have.
    HasTwin {
        /// Lowest and highest z of the path, mm.
        from_z_mm: f64,
        /// See `from_z_mm`.
        to_z_mm: f64,
    },
}

/// Finds the spine, or says why no path proves to be one.
///
/// For a patient who lies turned the search is repeated on a grid turned likewise.
pub fn spine_line(
    volume: &Volume<i16>,
    coarse: &Coarse,
    parameters: &Parameters,
) -> Result<SpineLine, Refusal> {
    let line = search(coarse, parameters)?;
    if line.turn.abs() < RETURN_FROM {
        return Ok(line);
    }
    let again =
        turned_coarse_grid(volume, line.turn).and_then(|grid| search(&grid, parameters).ok());
    Ok(again.filter(|other| other.outweighs(&line, 1.0)).unwrap_or(line))
}

/// Looks for the spine on one grid; near the middle of the patient alone where all that was tried is none: in a field
/// of pelvis the joints and foramina beside the sacral canal look more like one than it does.
fn search(coarse: &Coarse, parameters: &Parameters) -> Result<SpineLine, Refusal> {
    let map = canal_map(coarse, parameters);
    let refusal = match search_map(coarse, map, true, parameters) {
        Ok(line) => return Ok(line),
        Err(Refusal::NoCanal) => return Err(Refusal::NoCanal),
        Err(refusal) => refusal,
    };
    let Some(middle) = middle_of_tissue(coarse, 0..coarse.hu.size()[2]) else {
        return Err(refusal);
    };
    // Made again rather than kept: most series need it once.
    let mut map = canal_map(coarse, parameters);
    lower_off_plane(&mut map, coarse.spacing, parameters, |_| (middle, NEAR_MIDDLE_MM));
    match search_map(coarse, map, false, parameters) {
        Ok(line) => Ok(SpineLine { after: Some(refusal), ..line }),
        Err(_) => Err(refusal),
    }
}

/// Tries the best paths of a map; the `first` path of all has the least to prove.
fn search_map(
    coarse: &Coarse,
    mut map: Array3<f32>,
    first: bool,
    parameters: &Parameters,
) -> Result<SpineLine, Refusal> {
    let mut refusal = Refusal::NoCanal;
    for n in 0..TRIES {
        let path = best_path(&map, coarse.spacing, parameters);
        let length_mm = path.voxels.len() as f64 * coarse.spacing;
        if length_mm < parameters.min_length_mm || path.score < parameters.min_path_score_mm {
            break;
        }
        let z = |v: Option<&[usize; 3]>| v.map_or(0.0, |v| coarse.place(v[0], v[1], v[2]).z());
        let (from_z_mm, to_z_mm) = (z(path.voxels.first()), z(path.voxels.last()));
        let refused = match proven(coarse, &path, n > 0 || !first, parameters) {
            Some(line) if runs_aslant(&line.frames[line.followed.clone()]) => {
                Refusal::Aslant { from_z_mm, to_z_mm }
            }
            Some(line) if has_twin(coarse, &line.frames[line.followed.clone()]) => {
                Refusal::HasTwin { from_z_mm, to_z_mm }
            }
            Some(line) => {
                return Ok(along_the_mirror_plane(coarse, map, &path, line, parameters));
            }
            None => Refusal::NotASpine { from_z_mm, to_z_mm },
        };
        // The first path is the best one; the sentence is about it.
        if refusal == Refusal::NoCanal {
            refusal = refused;
        }
        blank_around(&mut map, &path, coarse, 14.0);
    }
    Err(refusal)
}

/// Whether a line leads from end to end across the patient rather than along.
fn runs_aslant(frames: &[Frame]) -> bool {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return false };
    let chord = last.origin - first.origin;
    chord.z().abs() < chord.length() * libm::cos(MOST_ASLANT_DEGREES.to_radians())
}

/// The line sought again in a map that favours the plane of symmetry of a proven line: where the
/// path has slipped into a foramen, or has ended because it could not lean far enough, it does
/// better now. The better of both.
fn along_the_mirror_plane(
    coarse: &Coarse,
    mut map: Array3<f32>,
    path: &CanalPath,
    line: SpineLine,
    parameters: &Parameters,
) -> SpineLine {
    let Some(plane) = MirrorPlane::of(coarse, &line) else { return line };
    lower_off_plane(&mut map, coarse.spacing, parameters, |slice| plane.at(slice));
    let again = best_path(&map, coarse.spacing, parameters);
    if again.voxels == path.voxels || again.voxels.is_empty() {
        return line;
    }
    match proven(coarse, &again, false, parameters) {
        Some(other) if other.proof.weight_mm() > line.proof.weight_mm() => other,
        _ => line,
    }
}

/// Lowers the canal likeness off a plane, which `at` gives for each slice: its column, and how far off it costs nothing,
/// mm.
fn lower_off_plane(
    map: &mut Array3<f32>,
    spacing: f64,
    parameters: &Parameters,
    at: impl Fn(f64) -> (f64, f64) + Sync,
) {
    let [ni, nj, _] = map.size();
    map.data_mut().par_chunks_mut(ni * nj).enumerate().for_each(|(k, slice)| {
        let (middle, free) = at(k as f64);
        let less: Vec<f32> = (0..ni)
            .map(|i| {
                let off = ((i as f64 - middle).abs() * spacing - free).max(0.0);
                (parameters.off_plane_cost_per_mm * off) as f32
            })
            .collect();
        for row in slice.chunks_exact_mut(ni) {
            for (value, &less) in row.iter_mut().zip(&less) {
                if less > 0.0 {
                    *value = (*value - less).max(0.0);
                }
            }
        }
    });
}

/// Where the plane of symmetry meets each slice of the coarse grid.
struct MirrorPlane {
    /// Slices and columns of the proven stretch.
    slices: Vec<f64>,
    columns: Vec<f64>,
    /// Column = intercept + slope times slice, beyond the lower and upper end.
    below: (f64, f64),
    above: (f64, f64),
    spacing: f64,
}

impl MirrorPlane {
    fn of(coarse: &Coarse, line: &SpineLine) -> Option<Self> {
        let (slices, columns): (Vec<f64>, Vec<f64>) = line.frames[line.followed.clone()]
            .iter()
            .map(|frame| coarse.grid.to_index(frame.origin))
            .map(|at| (at.k, at.i))
            .unzip();
        if slices.len() < 20 {
            return None;
        }
        let end = slices.len().min(PLANE_FIT_MM);
        let last = slices.len() - end;
        Some(Self {
            below: end_fit(&slices[..end], &columns[..end], 0),
            above: end_fit(&slices[last..], &columns[last..], end - 1),
            slices,
            columns,
            spacing: coarse.spacing,
        })
    }

    /// Column of the plane in a slice, and how far off it costs nothing, mm.
    fn at(&self, slice: f64) -> (f64, f64) {
        let (first, last) = (self.slices[0], self.slices[self.slices.len() - 1]);
        let beyond = (first - slice).max(slice - last).max(0.0) * self.spacing;
        let column = if slice < first {
            self.below.0 + self.below.1 * slice
        } else if slice > last {
            self.above.0 + self.above.1 * slice
        } else {
            interpolate(slice, &self.slices, &self.columns)
        };
        (column, 4.0 + 0.15 * beyond)
    }
}

/// A straight continuation through the value at `hold` with the slope of all, not steeper than 20
/// degrees.
fn end_fit(xs: &[f64], ys: &[f64], hold: usize) -> (f64, f64) {
    let (_, slope) = linear_fit(xs, ys);
    let slope = slope.clamp(-0.36, 0.36);
    (ys[hold] - slope * xs[hold], slope)
}

/// The line along a path if it is that of a spine. A path that comes `after` another was refused
/// must be more symmetric, as must one of a patient who would lie turned: each further try is
/// another chance to be wrong.
fn proven(
    coarse: &Coarse,
    path: &CanalPath,
    after: bool,
    parameters: &Parameters,
) -> Option<SpineLine> {
    if skin_ahead_mm(coarse, path).is_some_and(|mm| mm < parameters.min_skin_ahead_mm) {
        return None;
    }
    TURNS.iter().find_map(|&turn| {
        let least = if after || turn != 0.0 {
            Least { symmetry: parameters.second_min_symmetry, proof: parameters.second_min_proof }
        } else {
            Least { symmetry: parameters.min_symmetry, proof: parameters.min_proof }
        };
        proven_at(coarse, path, turn, least, parameters)
    })
}

/// What a line needs at least: median mirror correlation, and the sum of its margins.
#[derive(Clone, Copy)]
struct Least {
    symmetry: f64,
    proof: f64,
}

/// As [`proven`], for a patient whose front is turned towards the left by about `turn` (radians).
fn proven_at(
    coarse: &Coarse,
    path: &CanalPath,
    turn: f64,
    least: Least,
    parameters: &Parameters,
) -> Option<SpineLine> {
    let front = coarse.anterior * libm::cos(turn) + coarse.left * libm::sin(turn);
    let length_mm = path.voxels.len() as f64 * coarse.spacing;
    let long = ((length_mm - LONG_PATH_MM) / LONGER_MM).clamp(0.0, 1.0);
    let places: Vec<LpsPoint> =
        path.voxels.iter().map(|&[i, j, k]| coarse.place(i, j, k)).collect();
    let (low, high) = (places.first()?.z() - 1.0, places.last()?.z() + 1.0);
    let mut points = centre_line(&places, EXTENSION_MM, parameters.line_smoothing_mm);
    let mut best: Option<SpineLine> = None;
    for _ in 0..=REFITS {
        let line = frames(&points, front, &[]);
        let found = symmetry(coarse, &line);
        let is_symmetric: Vec<bool> = points
            .iter()
            .zip(&found.correlation)
            .map(|(p, &c)| p.z() >= low && p.z() <= high && c > parameters.symmetric)
            .collect();
        // A vertebra destroyed or operated on one side parts a spine that is symmetric above and below it.
        let symmetric =
            longest_bridged_run(&is_symmetric, libm::ceil(parameters.min_length_mm) as usize);
        let median = median(found.correlation[symmetric.clone()].iter().copied()).unwrap_or(-1.0);
        let stretch = is_symmetric[symmetric.clone()].iter().filter(|&&is| is).count() as f64;
        let weight =
            (path.score / length_mm - 0.15) / 0.3 + (median - 0.6) / 0.3 + LENGTH_PROOF * long;
        let proof = Proof { score: path.score, length_mm, symmetry: median, symmetric_mm: stretch };
        if median >= least.symmetry - LENGTH_SYMMETRY * long
            && stretch >= parameters.min_length_mm.max(parameters.min_symmetric_share * length_mm)
            && weight > least.proof
            && best.as_ref().is_none_or(|b| proof.weight_mm() > 1.02 * b.proof.weight_mm())
        {
            best = Some(settled(coarse, front, &points, &line, &found, symmetric, proof));
        }
        // In a spine that leans to the side the path follows only part of the lean, and the
        // sections cut across it; moved onto the plane of symmetry they do not.
        points = every_millimetre(&smoothed(&onto_symmetry(&points, &line, &found), 6.0));
        if (points.len() as f64) < parameters.min_length_mm {
            break;
        }
    }
    best
}

/// The points moved onto the plane of symmetry, their lean by half of what the rolls say.
fn onto_symmetry(points: &[LpsPoint], line: &[Frame], found: &Symmetry) -> Vec<LpsPoint> {
    let mut lean = vec![0.0; points.len()];
    for s in 1..points.len() {
        let trusted = found.correlation[s] > 0.3;
        lean[s] = lean[s - 1] + if trusted { libm::tan(found.roll[s]) } else { 0.0 };
    }
    let mean = lean.iter().sum::<f64>() / lean.len().max(1) as f64;
    (0..points.len())
        .map(|s| {
            let (c, sine) = (libm::cos(found.turn[s]), libm::sin(found.turn[s]));
            let left = line[s].left * c - line[s].anterior * sine;
            points[s] + left * (found.shift_mm[s] + 0.5 * (lean[s] - mean))
        })
        .collect()
}

fn settled(
    coarse: &Coarse,
    front: LpsVector,
    points: &[LpsPoint],
    line: &[Frame],
    found: &Symmetry,
    symmetric: std::ops::Range<usize>,
    proof: Proof,
) -> SpineLine {
    let from = symmetric.start.saturating_sub(EXTENSION_MM);
    let to = (symmetric.end + EXTENSION_MM).min(points.len());
    let mut moved: Vec<LpsPoint> = (0..points.len())
        .map(|s| {
            let (c, sine) = (libm::cos(found.turn[s]), libm::sin(found.turn[s]));
            points[s] + (line[s].left * c - line[s].anterior * sine) * found.shift_mm[s]
        })
        .collect();
    // Beyond the symmetric stretch the line stays in its plane: there it may have slipped aside.
    let across = |p: LpsPoint| (p - points[0]).dot(coarse.left);
    let xs: Vec<f64> = symmetric.clone().map(|s| s as f64).collect();
    let ys: Vec<f64> = symmetric.clone().map(|s| across(moved[s])).collect();
    let end = xs.len().min(PLANE_FIT_MM);
    if end >= 10 {
        let (last, whole) = (xs.len() - end, xs.len());
        let below = end_fit(&xs[..end], &ys[..end], 0);
        let above = end_fit(&xs[last..whole], &ys[last..whole], end - 1);
        for s in (from..symmetric.start).chain(symmetric.end..to) {
            let (a, b) = if s < symmetric.start { below } else { above };
            moved[s] = moved[s] + coarse.left * (a + b * s as f64 - across(moved[s]));
        }
    }
    let moved = smoothed(&moved[from..to], 3.0);
    let turn: Vec<f64> = (from..to)
        .map(|s| found.turn[s.clamp(symmetric.start, symmetric.end.max(1) - 1)])
        .collect();
    let turned = clearest_turn(found, symmetric.clone());
    // The front of the standing frame, turned from anterior towards the left.
    let front_turn = libm::atan2(front.x(), -front.y());
    SpineLine {
        frames: frames(&moved, front, &turn),
        symmetry: found.correlation[from..to].to_vec(),
        followed: symmetric.start - from..symmetric.end - from,
        turn: front_turn + turned,
        proof,
        after: None,
    }
}

/// Median turn of the more symmetric half of a stretch, radians: where the patient lies turned by more than the
/// search reaches, the rest ends on some lesser plane with any turn.
fn clearest_turn(found: &Symmetry, stretch: std::ops::Range<usize>) -> f64 {
    let least = median(found.correlation[stretch.clone()].iter().copied()).unwrap_or(-1.0);
    let clearest = stretch.filter(|&s| found.correlation[s] >= least);
    median(clearest.map(|s| found.turn[s])).unwrap_or(0.0)
}

/// Median distance from the path to the last tissue in front, mm; `None` where the field ends
/// first on most slices, or in what is no air about the patient but lung.
fn skin_ahead_mm(coarse: &Coarse, path: &CanalPath) -> Option<f64> {
    let mut found = Vec::new();
    let mut beyond = Vec::new();
    for &[i, j, k] in path.voxels.iter().step_by(4) {
        let mut skin = None;
        let mut air = Vec::new();
        for steps in 0..j {
            let hu = coarse.hu.at(i, j - 1 - steps, k);
            if hu > -300.0 {
                skin = Some(steps);
                air.clear();
            } else if hu > -1500.0 {
                air.push(f64::from(hu));
            }
        }
        if let Some(steps) = skin
            && j >= 8
            && air.len() as f64 * coarse.spacing >= 10.0
        {
            found.push(steps as f64 * coarse.spacing);
            beyond.extend(air);
        }
    }
    let outside = median(beyond).is_some_and(|hu| hu < AIR_BELOW_HU);
    (outside && found.len() >= 3).then(|| median(found)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::made;

    /// A column with its canal, the canal's middle at the origin.
    fn is_column(x: f64, y: f64) -> bool {
        let ring = (8.0..13.0).contains(&libm::hypot(x, y));
        let body = libm::hypot(x, y + 24.0) < 16.0;
        let process = x.abs() < 4.0 && (12.0..30.0).contains(&y);
        ring || body || process
    }

    /// What is said of a patient of 340 by 180 mm with a column at each of these x, mm.
    fn searched(columns: &[f64]) -> Result<SpineLine, Refusal> {
        let (_, coarse) = made([190, 110, 60], |x, y, _| {
            if libm::hypot(x / 170.0, y / 90.0) > 1.0 {
                -1000
            } else if columns.iter().any(|at| is_column(x - at, y - 20.0)) {
                400
            } else {
                40
            }
        });
        search(&coarse, &Parameters::default())
    }

    #[test]
    fn of_two_columns_that_mirror_each_other_none_is_the_spine() {
        assert!(searched(&[0.0]).is_ok());
        assert!(searched(&[85.0]).is_ok());
        assert!(matches!(searched(&[-85.0, 85.0]), Err(Refusal::HasTwin { .. })));
    }

    #[test]
    fn a_small_field_that_ends_in_the_lung_is_no_sternum() {
        let ahead = |hu: i16| {
            let (_, coarse) = made([50, 60, 60], |x, y, _| match () {
                () if is_column(x, y - 10.0) => 400,
                () if y < -32.0 => hu,
                () => 40,
            });
            search(&coarse, &Parameters::default())
        };
        assert!(ahead(-850).is_ok());
        assert!(matches!(ahead(-1000), Err(Refusal::NotASpine { .. })));
    }

    #[test]
    fn a_short_canal_in_the_middle_is_found_behind_longer_tubes_beside_it() {
        let (_, coarse) = made([190, 110, 60], |x, y, z| {
            let beside = [-125.0, -85.0, 85.0, 125.0].iter().any(|at| is_column(x - at, y - 20.0));
            let middle = z < 60.0 && is_column(x - 6.0, y - 20.0);
            if libm::hypot(x / 170.0, y / 90.0) > 1.0 {
                -1000
            } else if beside || middle {
                400
            } else {
                40
            }
        });
        let line = search(&coarse, &Parameters::default()).ok().unwrap();
        let followed = &line.frames[line.followed.clone()];
        assert!(followed.iter().all(|frame| (frame.origin.x() - 6.0).abs() < 5.0));
        assert!(followed.len() > 40 && followed.iter().all(|frame| frame.origin.z() < 75.0));
    }

    #[test]
    fn a_vertebra_that_is_not_symmetric_does_not_lose_the_spine_above_and_below_it() {
        let (_, coarse) = made([190, 110, 110], |x, y, z| {
            let callus =
                (85.0..125.0).contains(&z) && (14.0..28.0).contains(&x) && (4.0..58.0).contains(&y);
            if libm::hypot(x / 170.0, y / 90.0) > 1.0 {
                -1000
            } else if callus || is_column(x, y - 20.0) {
                400
            } else {
                40
            }
        });
        let line = search(&coarse, &Parameters::default()).ok().unwrap();
        assert!(line.followed.len() > 180, "{:?}", line.proof);
        assert!(line.proof.symmetric_mm < 0.9 * line.followed.len() as f64, "{:?}", line.proof);
    }

    #[test]
    fn a_raised_arm_runs_aslant_and_a_steep_kyphosis_does_not() {
        let line = |degrees: f64| -> Vec<Frame> {
            let (c, sine) = (libm::cos(degrees.to_radians()), libm::sin(degrees.to_radians()));
            let up = LpsVector::HEAD * c + LpsVector::ANTERIOR * sine;
            let places: Vec<LpsPoint> =
                (0..90).map(|n| LpsPoint::new(0.0, 0.0, 0.0) + up * f64::from(n)).collect();
            frames(&places, LpsVector::ANTERIOR, &[])
        };
        assert!(runs_aslant(&line(55.0)) && runs_aslant(&line(-72.0)));
        assert!(!runs_aslant(&line(45.0)) && !runs_aslant(&[]));
    }

    #[test]
    fn a_tube_of_bone_across_the_patient_is_not_the_spine() {
        let tube = |slope: f64| {
            let (_, coarse) = made([60, 150, 60], |x, y, z| {
                let ahead = (y + slope * (z - 59.0)) / libm::hypot(1.0, slope);
                if (8.0..13.0).contains(&libm::hypot(x, ahead)) { 400 } else { 40 }
            });
            search(&coarse, &Parameters::default())
        };
        assert!(tube(1.0).is_ok());
        assert!(matches!(tube(1.5), Err(Refusal::Aslant { .. })));
    }

    #[test]
    fn the_turn_is_that_of_the_stretch_whose_plane_is_clear() {
        let clear = |s: usize| s < 40;
        let found = Symmetry {
            correlation: (0..100)
                .map(|s| if clear(s) { 0.8 } else { 0.55 + 1e-4 * s as f64 })
                .collect(),
            shift_mm: vec![0.0; 100],
            turn: (0..100).map(|s| if clear(s) { -0.4 } else { 0.1 }).collect(),
            roll: vec![0.0; 100],
        };
        assert_eq!(clearest_turn(&found, 0..100), -0.4);
        assert_eq!(clearest_turn(&found, 50..100), 0.1);
    }
}
