//! Sizes of vertebrae, canal and discs by level.
//!
//! Widths, depths, posterior heights and canal: Panjabi et al., Spine 1991 and 1992; pedicles:
//! Zindrick et al., Spine 1987, both from memory of the published tables; L5 corrected towards a
//! CT study of 196 patients (IJSS 2021). Disc heights: mean of three published lumbar series.
//! Cervical sizes: Panjabi et al., Spine 1991, from memory as well; C1 and C2 drawn to look normal.
//! Sacral sizes and sagittal tilts are drawn to look normal (54 degrees of lordosis T12 to S1).
//!
//! A *station* says where along the normal spine a segment stands: C1 -7, C7 -1, T1 0, T12 11,
//! L1 12, L5 16, S1 17, S5 21. Spines with more or fewer vertebrae have stations in between.

/// Sizes of one segment, mm and degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Upper endplate, width and depth.
    pub upper: [f64; 2],
    /// Lower endplate, width and depth.
    pub lower: [f64; 2],
    /// Height at the posterior wall.
    pub posterior_height: f64,
    /// Anterior over posterior height.
    pub wedge: f64,
    /// Canal, width and depth.
    pub canal: [f64; 2],
    /// Pedicle, width and height.
    pub pedicle: [f64; 2],
    /// Height of the disc below, at its middle.
    pub disc_below: f64,
    /// How far the body's upper end leans forward, degrees.
    pub lean_deg: f64,
}

const fn row(panjabi: [f64; 9], wedge: f64, disc_below: f64, lean_deg: f64) -> Sizes {
    let [epwu, epdu, epwl, epdl, vbhp, scw, scd, pw, ph] = panjabi;
    Sizes {
        upper: [epwu, epdu],
        lower: [epwl, epdl],
        posterior_height: vbhp,
        wedge,
        canal: [scw, scd],
        pedicle: [pw, ph],
        disc_below,
        lean_deg,
    }
}

/// The segments from C1 to S5. Columns of the array: upper endplate width and depth, lower
/// endplate width and depth, posterior height, canal width and depth, pedicle width and height.
#[rustfmt::skip]
pub(super) static SEGMENTS: [Sizes; 29] = [
    /* C1  */ row([20.0, 14.0, 20.0, 14.0, 10.0, 29.0, 21.0,  8.0,  8.0], 1.00,  1.0,   3.0),
    /* C2  */ row([16.0, 14.0, 17.5, 15.5, 19.0, 25.0, 19.0,  8.0,  9.0], 1.08,  4.5,   0.0),
    /* C3  */ row([16.8, 15.0, 17.4, 15.8, 12.6, 23.5, 15.5,  5.6,  7.4], 0.97,  4.8,   1.0),
    /* C4  */ row([17.4, 15.3, 18.0, 16.0, 12.4, 24.4, 15.0,  5.4,  7.4], 0.96,  4.9,   4.0),
    /* C5  */ row([18.0, 15.4, 19.6, 17.2, 12.2, 24.8, 14.8,  5.6,  7.0], 0.95,  5.0,   8.0),
    /* C6  */ row([19.5, 16.4, 22.0, 18.3, 12.0, 25.4, 15.0,  6.0,  7.3], 0.96,  5.2,  14.0),
    /* C7  */ row([22.0, 17.6, 23.8, 18.0, 13.2, 24.5, 15.4,  6.6,  7.8], 0.98,  5.0,  21.0),
    /* T1  */ row([24.5, 18.5, 27.8, 19.7, 14.1, 21.8, 16.4,  7.9,  9.9], 0.97,  4.0,  27.0),
    /* T2  */ row([24.9, 19.6, 27.4, 21.6, 15.6, 19.5, 15.9,  7.0, 12.0], 0.96,  4.0,  24.0),
    /* T3  */ row([24.6, 22.7, 25.9, 23.3, 15.7, 18.3, 15.9,  5.6, 12.4], 0.95,  4.0,  20.0),
    /* T4  */ row([24.5, 23.3, 26.0, 24.5, 16.2, 17.0, 15.9,  4.7, 12.1], 0.94,  4.0,  16.0),
    /* T5  */ row([24.9, 24.3, 27.0, 25.8, 16.2, 17.3, 16.0,  4.5, 11.9], 0.93,  4.0,  12.0),
    /* T6  */ row([26.2, 26.0, 28.2, 26.9, 17.4, 17.3, 16.2,  5.2, 12.2], 0.92,  4.2,   7.0),
    /* T7  */ row([27.8, 27.4, 29.1, 28.5, 18.2, 17.3, 15.8,  5.3, 12.1], 0.92,  4.5,   2.0),
    /* T8  */ row([29.5, 27.9, 30.5, 29.4, 18.7, 17.7, 15.9,  5.9, 12.5], 0.92,  5.0,  -3.0),
    /* T9  */ row([30.6, 29.3, 33.0, 31.0, 19.3, 17.9, 15.7,  6.1, 13.9], 0.92,  5.5,  -8.0),
    /* T10 */ row([31.9, 30.5, 35.4, 31.6, 20.2, 18.2, 15.5,  6.3, 14.9], 0.93,  6.0, -12.0),
    /* T11 */ row([34.9, 31.9, 39.1, 31.8, 21.3, 19.4, 16.1,  7.8, 17.4], 0.93,  6.5, -14.0),
    /* T12 */ row([39.0, 32.8, 42.1, 33.4, 22.7, 22.2, 18.1,  7.1, 15.8], 0.93,  7.5, -14.0),
    /* L1  */ row([41.2, 34.1, 43.3, 35.3, 23.8, 23.7, 19.0,  8.7, 15.4], 0.94,  8.8, -12.0),
    /* L2  */ row([42.6, 34.6, 45.5, 34.9, 24.3, 23.8, 18.2,  8.9, 15.0], 0.98, 10.0,  -7.0),
    /* L3  */ row([44.1, 35.2, 48.0, 34.8, 23.8, 24.3, 17.5, 10.3, 14.9], 1.00, 11.0,   1.0),
    /* L4  */ row([46.6, 35.5, 49.5, 34.5, 24.1, 25.4, 18.0, 12.9, 14.8], 1.03, 11.8,  10.0),
    /* L5  */ row([47.3, 35.2, 49.4, 34.4, 24.0, 27.6, 17.5, 16.5, 13.4], 1.15, 10.5,  22.0),
    /* S1  */ row([50.0, 33.0, 37.0, 22.0, 27.0, 30.0, 15.0, 18.0, 16.0], 1.10,  3.2,  41.0),
    /*     */ row([34.0, 21.0, 28.0, 16.0, 23.0, 24.0, 11.0, 14.0, 14.0], 1.05,  2.0,  36.0),
    /*     */ row([26.0, 15.0, 21.0, 12.0, 20.0, 17.0,  8.0, 12.0, 12.0], 1.00,  1.5,  20.0),
    /*     */ row([20.0, 12.0, 16.0, 10.0, 18.0, 12.0,  6.0, 10.0, 10.0], 1.00,  1.5,   2.0),
    /*     */ row([14.0,  9.0, 11.0,  7.0, 15.0,  8.0,  4.0,  8.0,  8.0], 1.00,  1.5, -15.0),
];

/// Station of the first segment.
pub(super) const FIRST_STATION: f64 = -7.0;

/// Station of S1.
pub(super) const S1: f64 = 17.0;

/// Sizes at a station, interpolated between the rows of the table.
pub(super) fn sizes_at(station: f64) -> Sizes {
    let place = (station - FIRST_STATION).clamp(0.0, (SEGMENTS.len() - 1) as f64);
    let index = (place as usize).min(SEGMENTS.len() - 2);
    let share = place - index as f64;
    let (above, below) = (&SEGMENTS[index], &SEGMENTS[index + 1]);
    let mix = |a: f64, b: f64| a + (b - a) * share;
    let pair = |a: [f64; 2], b: [f64; 2]| [mix(a[0], b[0]), mix(a[1], b[1])];
    Sizes {
        upper: pair(above.upper, below.upper),
        lower: pair(above.lower, below.lower),
        posterior_height: mix(above.posterior_height, below.posterior_height),
        wedge: mix(above.wedge, below.wedge),
        canal: pair(above.canal, below.canal),
        pedicle: pair(above.pedicle, below.pedicle),
        disc_below: mix(above.disc_below, below.disc_below),
        lean_deg: mix(above.lean_deg, below.lean_deg),
    }
}
