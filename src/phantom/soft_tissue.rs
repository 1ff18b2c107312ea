//! What is no bone: skin, fat, muscle, lungs, organs, vessels, couch.

use glam::DVec3;

use super::morphometry::S1;
use super::scene::{Scene, over};
use super::shapes::{ellipse, occupancy, slab, smooth_step};
use super::skeleton::Along;
use super::spec::{Modality, Pose, Surrounding};
use super::trunk::Level;

/// Size of the back muscles at a station: they taper on the sacrum and in the neck.
fn muscle_size(station: f64) -> f64 {
    let down = 1.0 - 0.06 * (station - 15.0).max(0.0);
    let up = 1.0 - 0.035 * (11.0 - station).max(0.0);
    down.min(up).max(0.5)
}

impl Scene<'_> {
    /// Air, skin, fat, muscle, lungs, bowel, kidneys, vessels at a place that is not warped.
    pub(super) fn soft_tissue(&self, p: DVec3, along: Along) -> f64 {
        let palette = &self.palette;
        let level = self.trunk.at(p.z);
        let w = self.width;
        let Some(skin) = self.skin(p, level) else {
            return self.outside(p);
        };
        let grain = |mm: f64| self.texture.at(p / mm);
        // Organs are less regular than bone.
        let x = p.x - level.x * 0.8 - self.skeleton.centre.x() * 0.2 + 3.0 * grain(24.0);
        let y = p.y - level.y + 2.5 * self.texture.at(p / 21.0 + DVec3::splat(9.0));
        let a = x.abs();
        let station = level.station;
        let mut value = over(palette.air, palette.skin, occupancy(skin, w));
        // Septa run through fat as thin darker sheets.
        let septum = smooth_step(1.0 - grain(7.0).abs() / 0.10);
        let fat = over(palette.fat + palette.fat_grain * grain(3.0), palette.muscle, 0.10 * septum);
        value = over(value, fat, occupancy(skin - 1.8, w));

        // Fascia of the trunk: beneath it the wall's muscle, then the cavity.
        let loose = 5.5 * (station - 13.5).clamp(0.0, 5.0);
        let thin = smooth_step((station - 8.5) / 6.0);
        let pad = if y > 10.0 { 8.0 + loose } else { 9.0 + 15.0 * thin };
        let fascia = skin - pad - 2.0 * grain(25.0);
        // Fibres run along the body.
        let fibre = self.texture.at(p * DVec3::new(0.42, 0.42, 0.12));
        let muscle = palette.muscle + palette.muscle_grain * fibre;
        if station < -0.8 {
            value = over(value, muscle, 0.85 * occupancy(fascia, w));
            if station < -6.6 {
                value = self.head(value, p, muscle);
            }
        } else if level.cage[0] > 0.0 && station < 12.6 {
            value = over(value, muscle, occupancy(fascia, w) * smooth_step(0.7 - grain(15.0)));
            value = self.chest(value, p, [x, y], level, fat, muscle);
        } else if y < 4.0 {
            value = over(value, muscle, occupancy(fascia, w));
            let cavity = fascia - 11.0;
            if cavity > -w {
                value = over(value, self.abdomen(p, [x, y], station, fat), occupancy(cavity, w));
            }
        }
        if y > -60.0 && station > -6.0 {
            let lobes = back_muscles([a, y], station).min(fascia);
            if lobes > -w {
                let streaked = over(muscle, fat, self.muscle_fat(p, [a, y], station));
                value = over(value, streaked, occupancy(lobes, w));
            }
            // Quadratus lumborum, and the muscles of the buttock.
            let quadratus = ellipse(a - 62.0, y + 4.0, 19.0, 9.0);
            let share = smooth_step((station - 11.5) / 1.0) * smooth_step((16.4 - station) / 0.6);
            value = over(value, muscle, share * occupancy(quadratus, w));
            let buttock = ellipse(a - 78.0, y - 22.0, 66.0, 40.0).min(fascia);
            let share = smooth_step((station - 18.0) / 1.5);
            value = over(value, muscle, share * occupancy(buttock, w));
        }
        if station > 11.0 {
            value = self.flanks(value, [a, y], along, station, fat, muscle);
        } else {
            value = self.airway(value, along, station);
        }
        if self.has(Surrounding::Vessels) {
            value = self.vessels(value, p, along, station);
        }
        value
    }

    /// Distance to the skin, positive inside; `None` well outside.
    fn skin(&self, p: DVec3, level: &Level) -> Option<f64> {
        let dx = p.x - level.x * 0.8 - self.skeleton.centre.x() * 0.2;
        let dy = p.y - level.skin_y();
        let depth = level.half_depth;
        let (sx, sy) = ((dx / level.half_width).abs(), (dy / depth).abs());
        let whole = !self.has(Surrounding::BodyOutline);
        let mut skin = if whole && sx * sx * sx + sy * sy * sy > 1.0 {
            0.0
        } else if sx * sx * sx + sy * sy * sy > 1.5 {
            f64::NEG_INFINITY
        } else {
            // The groove over the spine, not in the neck.
            let groove = 6.0 * libm::exp(-(dx / 13.0) * (dx / 13.0));
            let sy = ((dy + if level.station > -1.0 { groove } else { 0.0 }) / depth).abs();
            (1.0 - libm::cbrt(sx * sx * sx + sy * sy * sy)) * depth
        };
        if self.has(Surrounding::Arms) && level.station > -1.0 {
            let arm = ellipse(
                dx.abs() - level.half_width.max(165.0) - 42.0,
                p.y - level.y + 15.0,
                38.0,
                42.0,
            );
            skin = skin.max(arm);
        }
        if whole {
            return Some(40.0 + skin.max(0.0));
        }
        (skin > -self.width).then_some(skin)
    }

    /// Brain in its cavity; the face and what lies below the base stay soft.
    fn head(&self, under: f64, p: DVec3, muscle: f64) -> f64 {
        let Some(atlas) = &self.atlas else { return under };
        let (_, cavity) = super::cervical::skull(atlas.to_local(p));
        if cavity { over(self.palette.cord, muscle, 0.1) } else { under }
    }

    /// Lungs, heart, great vessels and, below the domes, liver, spleen and stomach.
    fn chest(
        &self,
        under: f64,
        p: DVec3,
        [x, y]: [f64; 2],
        level: &Level,
        fat: f64,
        muscle: f64,
    ) -> f64 {
        let palette = &self.palette;
        let w = self.width;
        let [a, b] = level.cage;
        let dy = p.y - level.cage_y();
        let cage = ellipse(p.x - level.x, dy, a, b);
        if cage < -9.0 {
            return under;
        }
        let mut value = over(under, muscle, occupancy(cage + 7.0, w));
        let inside = cage - 6.5;
        if inside < -w {
            return value;
        }
        let station = level.station;
        // The dome of the diaphragm stands higher in the middle and on the right.
        let radial = (x / a) * (x / a) + (dy / b) * (dy / b);
        let base = 8.4 + 3.0 * radial + if x > 0.0 { 0.35 } else { 0.0 };
        let content = if station > base {
            self.abdomen(p, [x, y], station, fat)
        } else {
            let spine = x.abs() < 21.0 + 0.9 * (station - 4.0).max(0.0) + 0.15 * (y + 40.0).abs()
                && y > -62.0;
            let heart = {
                let q = DVec3::new((x - 22.0) / 56.0, (y + 105.0) / 46.0, (station - 6.9) / 2.1);
                1.0 - q.length()
            };
            let great = ellipse(x - 4.0, y + 72.0, 34.0, 34.0) * smooth_step((5.6 - station) / 1.0);
            let front = 13.0 - x.abs() - 0.2 * (y + 150.0).max(0.0);
            if spine || heart > 0.0 || great > 0.0 || front > 0.0 {
                let blood = 0.5 * (palette.artery + palette.vein);
                let filled = smooth_step(heart * 20.0).max(
                    smooth_step((great - 4.0) / 4.0) * smooth_step(self.texture.at(p / 13.0) + 0.6),
                );
                over(over(fat, muscle, 0.25), blood, filled)
            } else {
                // Vessels fork towards the hila.
                let branch = self.texture.at(p / 7.0) + 0.6 * self.texture.at(p / 3.1);
                let vessel = smooth_step((branch - 1.25 - 0.25 * radial) / 0.25);
                let lung = palette.lung + palette.lung_grain * self.texture.at(p / 2.2);
                over(lung, palette.muscle, 0.9 * vessel)
            }
        };
        value = over(value, content, occupancy(inside, w));
        value
    }

    /// Fat, bowel loops, liver, spleen, stomach.
    fn abdomen(&self, p: DVec3, [x, y]: [f64; 2], station: f64, fat: f64) -> f64 {
        let palette = &self.palette;
        let grain = |mm: f64| self.texture.at(p / mm);
        let ball = |centre: [f64; 3], radii: [f64; 3]| {
            let q = DVec3::new(
                (x - centre[0]) / radii[0],
                (y - centre[1]) / radii[1],
                (station - centre[2]) / radii[2],
            );
            smooth_step((1.0 - q.length()) * 12.0)
        };
        let loops = grain(17.0) + 0.5 * grain(9.0);
        let loop_share = smooth_step((loops + 0.1) / 0.2) * smooth_step((-y - 62.0) / 8.0);
        let bowel = palette.bowel + palette.bowel_grain * grain(5.0);
        let gas = smooth_step((loops - 1.15) / 0.15) * smooth_step((-y - 90.0) / 10.0);
        let mut value = over(over(fat, bowel, loop_share), palette.gas, gas * loop_share);
        let liver = palette.liver + 0.5 * palette.muscle_grain * grain(3.5);
        value = over(value, liver, ball([-62.0, -92.0, 10.2], [92.0, 92.0, 3.6]));
        value = over(value, liver + 6.0, ball([98.0, -38.0, 10.8], [34.0, 48.0, 1.7]));
        let stomach = ball([52.0, -112.0, 11.0], [48.0, 42.0, 1.5]);
        let fluid = if y < -128.0 { palette.gas } else { bowel };
        over(value, fluid, stomach)
    }

    /// Throat and windpipe in front of the bodies.
    fn airway(&self, under: f64, along: Along, station: f64) -> f64 {
        if !(-7.8..4.2).contains(&station) {
            return under;
        }
        let half_depth = self.skeleton.blend(along, |s| s.half_size().y);
        let deep = 13.0 + 2.2 * (station + 2.0).clamp(0.0, 5.0);
        let tube = ellipse(along.u, along.v - half_depth - deep, 8.5, 6.5);
        let value = over(under, self.palette.muscle, occupancy(tube + 3.0, self.width));
        over(value, self.palette.air, occupancy(tube, self.width))
    }

    /// Psoas and kidneys.
    fn flanks(
        &self,
        under: f64,
        [a, y]: [f64; 2],
        along: Along,
        station: f64,
        fat: f64,
        muscle: f64,
    ) -> f64 {
        let palette = &self.palette;
        let w = self.width;
        let mut value = under;
        // Psoas grows downwards beside the bodies.
        let half_width = self.skeleton.blend(along, |s| s.half_size().x);
        let grown = ((station - 11.6) / 4.4).clamp(0.0, 1.0) * smooth_step((22.0 - station) / 2.0);
        if grown > 0.0 && along.u.abs() < 120.0 {
            let radius = 5.0 + 15.0 * grown;
            let outward = half_width.min(25.0) + 0.72 * radius + 9.0 * (station - 16.0).max(0.0);
            let psoas = ellipse(
                along.u.abs() - outward,
                along.v + 6.0 - 8.0 * grown - 10.0 * (station - 16.2).max(0.0),
                radius,
                radius * 1.12,
            );
            value = over(value, muscle, occupancy(psoas, w));
        }
        let kidney_station = station - 12.8;
        if kidney_station.abs() < 1.9 {
            let shrink = (1.0 - (kidney_station / 1.9) * (kidney_station / 1.9)).sqrt();
            let kidney = ellipse(a - 70.0, y + 22.0, 25.0 * shrink, 23.0 * shrink);
            let sinus = ellipse(a - 58.0, y + 24.0, 11.0 * shrink, 7.0 * shrink);
            value = over(value, palette.kidney, occupancy(kidney, w));
            value = over(value, fat, occupancy(sinus, w));
        }
        value
    }

    /// Share of fat at a place in the back muscles: streaks along the fibres, more of them lower
    /// down, the cleft between the two muscles, loose fat beside the spinous processes.
    fn muscle_fat(&self, p: DVec3, [a, y]: [f64; 2], station: f64) -> f64 {
        let streaks = self.texture.at(p * DVec3::new(0.3, 0.3, 0.07))
            + 0.7 * self.texture.at(p * DVec3::new(0.5, 0.5, 0.16));
        let streak = 0.7 * smooth_step((streaks - 1.15 + 0.14 * (station - 14.0)) / 0.5);
        let width = 0.9 + 0.5 * (station - 14.0).clamp(0.0, 3.0);
        let cleft = slab(a, y, [20.0, 8.0], [36.0 * muscle_size(station), 46.0], width);
        let midline = 3.0 - a + 0.2 * (y - 20.0).max(0.0);
        over(streak, 1.0, 0.75 * occupancy(cleft.max(midline), 1.5))
    }

    /// Aorta in front and to the left, vena cava to the right; both part before L4 and L5.
    fn vessels(&self, under: f64, p: DVec3, along: Along, station: f64) -> f64 {
        if !(3.6..21.0).contains(&station) || along.u.abs() > 70.0 {
            return under;
        }
        let palette = &self.palette;
        let w = self.width;
        let half_depth = self.skeleton.blend(along, |s| s.half_size().y);
        // In the chest the aorta lies on the left side of the bodies.
        let thoracic = smooth_step((8.0 - station) / 5.0);
        let parting = (station - 15.2).max(0.0);
        let v = along.v - half_depth - 12.0 + (5.0 * parting).min(10.0);
        let mut value = under;
        let narrowed = (parting * 2.5).min(1.0);
        let vein_parting = (station - 15.7).max(0.0);
        let vein_narrowed = (vein_parting * 2.5).min(1.0);
        for side in [-1.0, 1.0] {
            let shift = side * (15.0 * vein_parting).min(30.0);
            let vein = ellipse(
                along.u + 17.0 - 12.0 * vein_narrowed + shift,
                v + 1.5 - 4.0 * vein_narrowed,
                11.0 - 4.0 * vein_narrowed,
                8.0 - 2.0 * vein_narrowed,
            );
            value =
                over(value, palette.vein, occupancy(vein, w) * smooth_step((station - 10.5) / 1.0));
        }
        for side in [-1.0, 1.0] {
            let shift = side * (14.0 * parting).min(32.0);
            let radius = 9.5 - 3.5 * narrowed + 2.5 * thoracic;
            let artery = ellipse(
                along.u - 8.0 + 4.0 * narrowed - shift - 13.0 * thoracic,
                v + 8.0 * thoracic,
                radius,
                radius,
            );
            let wall = occupancy(artery + 1.0, w) * (1.0 - occupancy(artery, w));
            value = over(value, palette.vessel_wall, wall);
            value = over(value, palette.artery, occupancy(artery, w));
            if self.has(Surrounding::VascularCalcium) && self.spec.modality == Modality::Ct {
                let plaque = smooth_step(
                    (self.texture.at(p / 9.0) + 0.4 * self.texture.at(p / 4.0) - 0.45) / 0.3,
                );
                value = over(value, 640.0, plaque * occupancy(1.1 - (artery - 0.3).abs(), w));
            }
        }
        value
    }

    fn outside(&self, p: DVec3) -> f64 {
        if self.has(Surrounding::Couch) && self.spec.modality.is_ct() && self.spec.pose == Pose::Hfs
        {
            let x = (p.x - self.skeleton.centre.x()) / 260.0;
            let below = p.y - (self.couch_y - 18.0 * x * x);
            if below > 0.0 && x.abs() < 1.0 {
                let shell = occupancy(1.2 - (below - 1.2).abs(), self.width)
                    .max(occupancy(1.2 - (below - 45.0).abs(), self.width));
                let foam = if below < 45.0 { -960.0 } else { self.palette.air };
                return over(foam, -250.0, shell);
            }
        }
        self.palette.air
    }
}

/// Distance to erector spinae and multifidus, positive inside: two lobes on each side that
/// fill the space between laminae and fascia. `a` is the distance from the midline, `y` that
/// behind the canal's axis.
fn back_muscles([a, y]: [f64; 2], station: f64) -> f64 {
    let size = muscle_size(station);
    let medial = ellipse(a - 16.0, y - 21.0, 18.0 * size + 2.0, 27.0 * size);
    let lateral = ellipse(a - 41.0 * size - 2.0, y - 20.0 * size, 31.0 * size, 24.0 * size);
    if station > S1 + 3.0 { FAR } else { medial.max(lateral) }
}

const FAR: f64 = -50.0;
