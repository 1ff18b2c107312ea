//! The numbers that the search for the spine depends on, each with its unit and reason.
//!
//! They stand in one place so that `examples/anatomy_trial.rs --set NAME=VALUE` can vary them: the
//! table of what that does is in `docs/CT_ANATOMY.md`. Nobody needs to set them to use the tool.

use serde::{Deserialize, Serialize};

/// What the search for the spine on CT depends on. The defaults are what the program uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    // canal map
    /// A wall of the canal is this much denser than its content, HU.
    pub wall_contrast_hu: f64,
    /// Length of a ray, mm: the canal is at most about 30 mm wide.
    pub ray_length_mm: f64,
    /// A wall nearer than this is bone or noise at the voxel itself, mm.
    pub near_wall_mm: f64,
    /// Local mean above which a voxel is no canal, HU: marrow of the sacral ala has 70 to 150.
    pub softest_upper_hu: f64,
    /// Canal likeness lost for each mm of the mean vector of the rays: centres the map.
    pub imbalance_cost_per_mm: f64,
    // canal path
    /// Canal likeness that neither gains nor loses.
    pub neutral_likeness: f64,
    /// Cost of a step of one voxel (2 mm) to the side, squared.
    pub side_cost: f64,
    /// Cost of a step of one voxel to front or back, squared: the spine slopes far more in the sagittal plane.
    pub front_cost: f64,
    /// Loss since its best at which a path is dropped (likeness, for 2 mm slices).
    pub drop: f64,
    /// Running mean of the canal likeness over 16 mm below which the path is cut.
    pub cut_below: f64,
    // proof
    /// Shortest path that may be a spine, mm: one vertebra.
    pub min_length_mm: f64,
    /// Least sum of canal likeness over neutral that may be a spine, mm.
    pub min_path_score_mm: f64,
    /// Mirror correlation above which a section counts as symmetric.
    pub symmetric: f64,
    /// Median mirror correlation that a spine has at least; wrong paths reach 0.61.
    pub min_symmetry: f64,
    /// Share of the path that must be symmetric.
    pub min_symmetric_share: f64,
    /// Least sum of the margins of canal likeness and symmetry.
    pub min_proof: f64,
    /// The same for further tries, see `second_min_symmetry`.
    pub second_min_proof: f64,
    /// Skin nearer in front than this is a sternum, mm.
    pub min_skin_ahead_mm: f64,
    /// The same for paths that are tried after another was refused, and for patients who would lie
    /// turned: further chances to be wrong.
    pub second_min_symmetry: f64,
    /// Canal likeness lost for each mm off the plane of symmetry, when the path is sought again.
    pub off_plane_cost_per_mm: f64,
    /// Smoothing of the line, mm (Gaussian): the canal widens and narrows with each vertebra.
    pub line_smoothing_mm: f64,
    // rhythm
    /// Weight of the pedicle fit against the discs.
    pub pedicle_weight: f64,
    /// Weight of the most disc-like place inside a body.
    pub inside_penalty: f64,
    /// What one vertebra must gain: the knob between recall and false vertebrae.
    pub gain_threshold: f64,
    /// What a vertebra needs to gain less where left and right are alike (mirror correlation 0.85 and
    /// more; nothing less at 0.6): there is a spine there, seen or not.
    pub symmetric_bonus: f64,
    /// Cost of a change of spacing between neighbours by a factor of e^0.18.
    pub change_cost: f64,
    /// Cost of a spacing that the size of the body does not explain, at e^0.4.
    pub size_weight: f64,
    /// Most that an unlikely spacing costs: measured sizes may be wrong (aorta, ribs, bridges).
    pub size_cost_limit: f64,
    /// Strength of a disc that is out of view ...
    pub unseen_disc: f64,
    /// ... this far beyond the last place whose disc could be seen, mm, and less in proportion before: there one of its
    /// endplates would still be in view.
    pub unseen_disc_beyond_mm: f64,
    /// Share of a vertebra that must be in view.
    pub min_in_view: f64,
    // vertebrae
    /// Mean mirror correlation below which a segment is no vertebra.
    pub min_segment_symmetry: f64,
    /// Share of the depth at which the centre lies: depth is measured over the rims.
    pub centre_of_depth: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            wall_contrast_hu: 130.0,
            ray_length_mm: 18.0,
            near_wall_mm: 4.0,
            softest_upper_hu: 120.0,
            imbalance_cost_per_mm: 0.02,
            neutral_likeness: 0.5,
            side_cost: 0.1,
            front_cost: 0.015,
            drop: 2.0,
            cut_below: 0.45,
            min_length_mm: 24.0,
            min_path_score_mm: 8.0,
            symmetric: 0.5,
            min_symmetry: 0.66,
            min_symmetric_share: 0.55,
            min_proof: 0.7,
            second_min_proof: 1.1,
            min_skin_ahead_mm: 45.0,
            second_min_symmetry: 0.7,
            off_plane_cost_per_mm: 0.03,
            line_smoothing_mm: 8.0,
            pedicle_weight: 0.8,
            inside_penalty: 0.35,
            gain_threshold: 0.5,
            symmetric_bonus: 0.1,
            change_cost: 0.25,
            size_weight: 0.25,
            size_cost_limit: 0.4,
            unseen_disc: 0.24,
            unseen_disc_beyond_mm: 6.0,
            min_in_view: 0.4,
            min_segment_symmetry: 0.4,
            centre_of_depth: 0.43,
        }
    }
}
