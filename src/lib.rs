//! Screens CT and MR studies for what bears on treating painful bone metastases.

pub mod geometry;
pub mod problem;
pub mod terms;
pub mod units;

pub mod kernels;

pub mod anatomy;
pub mod discover;
pub mod eligibility;
pub mod features;
pub mod findings;
pub mod report;
pub mod role;
pub mod series;
pub mod volume;

pub mod evaluate;
pub mod phantom;
