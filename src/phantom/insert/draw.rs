//! What is drawn for one body: a stream of its own, so that one lesion's draws do not move
//! another's.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

use super::super::random::{normal_pair, uniform};

/// A seeded stream of draws.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of a seed and a purpose.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let digest = Sha256::digest(format!("osteoflag insert {seed} {purpose}"));
        let mut key = [0; 32];
        for (byte, from) in key.iter_mut().zip(digest) {
            *byte = from;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform between two numbers.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * uniform(&mut self.0)
    }

    /// A standard normal deviate.
    pub(super) fn normal(&mut self) -> f64 {
        normal_pair(&mut self.0)[0]
    }

    /// True with a probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        uniform(&mut self.0) < probability
    }

    /// A whole number below `n` (0 for `n` = 0).
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((uniform(&mut self.0) * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// A seed for something that draws by itself.
    pub(super) fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The numbers below `n` in random order (Fisher and Yates).
    pub(super) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}
