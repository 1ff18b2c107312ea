//! Seeded randomness: `ChaCha8` by name, so that a seed outlives releases of `rand`.

use glam::DVec3;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Purposes draw from separate streams, so that changing one does not change the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Shape,
    Texture,
    /// One case of a population.
    Cohort(usize),
    /// Noise of one slice.
    Noise(usize),
}

/// The generator of one purpose.
pub(super) fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(match stream {
        Stream::Shape => 1,
        Stream::Texture => 2,
        Stream::Cohort(case) => (1 << 40) + case as u64,
        Stream::Noise(slice) => 1000 + slice as u64,
    });
    rng
}

/// Uniform in (0, 1).
pub(super) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (f64::from(rng.next_u32()) + 0.5) / 4294967296.0
}

/// Two independent standard normal deviates (Box and Muller 1958).
pub(super) fn normal_pair(rng: &mut ChaCha8Rng) -> [f64; 2] {
    let radius = (-2.0 * libm::log(uniform(rng))).sqrt();
    let (sin, cos) = libm::sincos(std::f64::consts::TAU * uniform(rng));
    [radius * cos, radius * sin]
}

const SIDE: usize = 32;

/// Smooth random field: standard normal deviates on a periodic lattice of 32³ points with pitch
/// 1, read by interpolation. Scale the point to set the grain.
#[derive(Clone, Debug)]
pub(super) struct Texture {
    lattice: Vec<f32>,
}

impl Texture {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = generator(seed, Stream::Texture);
        let lattice =
            (0..SIDE * SIDE * SIDE / 2).flat_map(|_| normal_pair(&mut rng)).map(|v| v as f32);
        Self { lattice: lattice.collect() }
    }

    /// The field at a point; mean 0, standard deviation between 0.35 and 1.
    pub(super) fn at(&self, point: DVec3) -> f64 {
        let axis = |x: f64| {
            // The floor, without the library call that `f64::floor` is on older processors.
            let whole = x as i64;
            let low = whole - i64::from((whole as f64) > x);
            let fraction = x - low as f64;
            let index = low.rem_euclid(SIDE as i64) as usize;
            // Smoothstep hides the lattice planes.
            (index, (index + 1) % SIDE, fraction * fraction * (3.0 - 2.0 * fraction))
        };
        let (x0, x1, fx) = axis(point.x);
        let (y0, y1, fy) = axis(point.y);
        let (z0, z1, fz) = axis(point.z);
        let value =
            |x: usize, y: usize, z: usize| f64::from(self.lattice[(z * SIDE + y) * SIDE + x]);
        let row = |y, z| value(x0, y, z) * (1.0 - fx) + value(x1, y, z) * fx;
        let plane = |z| row(y0, z) * (1.0 - fy) + row(y1, z) * fy;
        plane(z0) * (1.0 - fz) + plane(z1) * fz
    }
}
