//! Where things lie against the column: a frame for each vertebra, and the canal by height.

use crate::anatomy::model::{Canal, CanalSection, Vertebra};
use crate::geometry::{Frame, LocalPoint, LpsPoint};

/// Distance to the neighbour that is taken where there is none, mm.
const USUAL_STEP_MM: f64 = 28.0;

/// One vertebra of the column.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Origin at the centroid, axes of the canal beside it.
    pub frame: Frame,
    /// Forward coordinate of the canal's centre (negative).
    pub canal_v: f64,
    /// Distance to the next vertebra up, mm (to the one below for the highest).
    pub step_mm: f64,
}

/// The column, from feet to head.
pub struct Column {
    /// The vertebrae.
    pub places: Vec<Place>,
    /// The canal, from feet to head.
    canal: Vec<CanalSection>,
}

impl Column {
    /// The column of an anatomy; `None` without canal or vertebra.
    pub fn new(canal: Option<&Canal>, vertebrae: &[Vertebra]) -> Option<Self> {
        let canal = canal?.sections.clone();
        if canal.is_empty() || vertebrae.is_empty() {
            return None;
        }
        let places = vertebrae
            .iter()
            .enumerate()
            .map(|(n, vertebra)| {
                let beside = nearest_section(&canal, vertebra.centroid);
                let step = |a: usize, b: usize| -> Option<f64> {
                    Some(vertebrae.get(a)?.centroid.distance(vertebrae.get(b)?.centroid))
                };
                let step_mm =
                    step(n, n + 1).or_else(|| step(n.checked_sub(1)?, n)).unwrap_or(USUAL_STEP_MM);
                let frame = Frame { origin: vertebra.centroid, ..beside };
                Place { frame, canal_v: frame.to_local(beside.origin).v, step_mm }
            })
            .collect();
        Some(Self { places, canal })
    }

    /// A frame for a body at the lower end that trusts the column above it: the canal in the sacrum
    /// slips into foramina, and a frame made from it leans.
    pub fn frame_from_above(&self, n: usize) -> Frame {
        let own = self.places[n].frame;
        let (Some(above), Some(second)) = (self.places.get(n + 1), self.places.get(n + 2)) else {
            return own;
        };
        let left = second.frame.left;
        let aside = (own.origin - above.frame.origin).dot(left);
        let origin = own.origin - left * aside;
        let up = above.frame.origin - origin;
        Frame::from_up_and_anterior(origin, up, left.cross(up)).map_or(own, |frame| {
            // `cross` gives the axis in front or behind, by the hand of the frame.
            if frame.anterior.dot(own.anterior) > 0.0 {
                frame
            } else {
                Frame::from_up_and_anterior(origin, up, up.cross(left)).unwrap_or(own)
            }
        })
    }

    /// Where a point lies against the canal at its height; beyond the followed canal its end goes on straight.
    pub fn beside_canal(&self, point: LpsPoint) -> LocalPoint {
        self.beside(point).0
    }

    /// The same, with the cross section at that height.
    pub fn beside(&self, point: LpsPoint) -> (LocalPoint, &CanalSection) {
        let n = self.canal.partition_point(|section| section.frame.origin.z() < point.z());
        let last = self.canal.len() - 1;
        let section = &self.canal[n.min(last)];
        let mut local = section.frame.to_local(point);
        if n == 0 || n > last {
            // Straight on along the axis: the part along `up` does not count.
            local.s = 0.0;
        }
        (local, section)
    }

    /// Frame at the upper end of the followed canal.
    pub fn upper_end(&self) -> Frame {
        self.canal[self.canal.len() - 1].frame
    }
}

/// The section whose plane lies nearest to a body's centre.
fn nearest_section(canal: &[CanalSection], centroid: LpsPoint) -> Frame {
    let off = |frame: &Frame| {
        let local = frame.to_local(centroid);
        // A curved line may cut the plane twice: keep to sections near by.
        local.s.abs() + 0.05 * frame.origin.distance(centroid)
    };
    let mut best = canal[0].frame;
    let mut least = off(&best);
    for section in &canal[1..] {
        let d = off(&section.frame);
        if d < least {
            (best, least) = (section.frame, d);
        }
    }
    best
}
