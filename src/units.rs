//! Quantities with their unit in the type: a bare `f64` does not cross a room's border.
//!
//! Each is a private number with a constructor and a getter named by the unit, so that a
//! millimetre cannot be read as a voxel and a Hounsfield unit not as a share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length in millimetres.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Millimetres(f64);

impl Millimetres {
    /// A length of `mm` millimetres.
    pub const fn new(mm: f64) -> Self {
        Self(mm)
    }

    /// The length in millimetres.
    pub const fn mm(self) -> f64 {
        self.0
    }
}

/// A CT attenuation, or a difference of two, in Hounsfield units.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Hounsfield(f64);

impl Hounsfield {
    /// `hu` Hounsfield units.
    pub const fn new(hu: f64) -> Self {
        Self(hu)
    }

    /// The attenuation in Hounsfield units.
    pub const fn hu(self) -> f64 {
        self.0
    }
}

/// A volume in cubic millimetres.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CubicMillimetres(f64);

impl CubicMillimetres {
    /// A volume of `mm3` cubic millimetres.
    pub const fn new(mm3: f64) -> Self {
        Self(mm3)
    }

    /// The volume in cubic millimetres.
    pub const fn mm3(self) -> f64 {
        self.0
    }
}

/// An angle in degrees.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Degrees(f64);

impl Degrees {
    /// An angle of `degrees`.
    pub const fn new(degrees: f64) -> Self {
        Self(degrees)
    }

    /// The angle in degrees.
    pub const fn degrees(self) -> f64 {
        self.0
    }

    /// The angle in radians.
    pub fn radians(self) -> f64 {
        self.0.to_radians()
    }
}

/// A share of a whole, kept within 0..=1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Share(f64);

impl Share {
    /// A share; values outside 0..=1 are brought to the nearer end, NaN to 0.
    pub fn new(share: f64) -> Self {
        if share.is_nan() { Self(0.0) } else { Self(share.clamp(0.0, 1.0)) }
    }

    /// The share, within 0..=1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The unit in which a threshold or a measurement is given.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Millimetres.
    #[serde(rename = "mm")]
    Millimetre,
    /// Square millimetres.
    #[serde(rename = "mm2")]
    SquareMillimetre,
    /// Cubic millimetres.
    #[serde(rename = "mm3")]
    CubicMillimetre,
    /// Hounsfield units.
    #[serde(rename = "HU")]
    Hounsfield,
    /// Degrees.
    #[serde(rename = "deg")]
    Degree,
    /// A share within 0..=1.
    Fraction,
    /// A quotient of two values of one unit.
    Ratio,
    /// Multiples of a robust standard deviation.
    #[serde(rename = "sd")]
    StandardDeviation,
    /// A number of things.
    Count,
}

impl Unit {
    /// The unit as it is printed behind a number; empty for pure numbers.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Millimetre => "mm",
            Self::SquareMillimetre => "mm²",
            Self::CubicMillimetre => "mm³",
            Self::Hounsfield => "HU",
            Self::Degree => "°",
            Self::StandardDeviation => "SD",
            Self::Fraction | Self::Ratio | Self::Count => "",
        }
    }
}

/// A named number with its unit, as it stands in findings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// What was measured, in `snake_case` and ending in the unit where it has one
    /// (`mean_contrast_hu`).
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

impl Measurement {
    /// A measurement rounded to the digits that its unit deserves: whole HU and mm³, two decimal
    /// places for all else.
    pub fn new(name: &str, value: f64, unit: Unit) -> Self {
        let digits = match unit {
            Unit::Hounsfield | Unit::CubicMillimetre | Unit::Count => 0,
            Unit::SquareMillimetre | Unit::Degree | Unit::StandardDeviation => 1,
            Unit::Millimetre | Unit::Fraction | Unit::Ratio => 2,
        };
        Self { name: name.to_owned(), value: rounded(value, digits), unit }
    }
}

/// The tissue a measurement was compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Which tissue, and where (`own marrow core and the four nearest bodies`).
    pub tissue: String,
    /// How many voxels.
    pub voxels: u64,
    /// Its median.
    pub median: f64,
    /// Its robust spread (1.48 times the median absolute deviation, unless the feature says
    /// otherwise).
    pub spread: f64,
    /// Unit of median and spread; absent for MR signal, which has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// Rounds to `digits` decimal places, so that output does not carry the noise of the last bits.
///
/// Negative zero becomes zero, so that it does not show in JSON.
pub fn rounded(value: f64, digits: i32) -> f64 {
    let scale = libm::pow(10.0, f64::from(digits));
    let value = libm::round(value * scale) / scale;
    if value == 0.0 { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_stays_within_its_bounds_whatever_comes_in() {
        assert_eq!(Share::new(1.5).get(), 1.0);
        assert_eq!(Share::new(-0.1).get(), 0.0);
        assert_eq!(Share::new(f64::NAN).get(), 0.0);
    }

    #[test]
    fn rounding_never_leaves_a_negative_zero() {
        assert!(rounded(-0.0001, 2).is_sign_positive());
        assert_eq!(rounded(12.345, 1), 12.3);
    }
}
