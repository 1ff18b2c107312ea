//! Screens CT and MR DICOM studies for what bears on treating painful bone metastases: classical
//! image analysis, no learned weights, no GPU, three-valued rules.
//!
//! It screens and structures; it does not diagnose. Its first duty is that "not looked at" never
//! reads as "nothing there": every feature answers for every vertebra with present, absent,
//! indeterminate or not assessed, and the rules know unknown from no.
//!
//! # The way of the data
//!
//! | room | gives |
//! |---|---|
//! | [`discover`] | candidate files below a path |
//! | [`series`] | headers, grouped and split into stacks |
//! | [`volume`] | voxels in HU or signal, with a validity mask |
//! | [`role`] | what a series shows, with evidence |
//! | [`anatomy`] | canal, vertebrae, their surfaces |
//! | [`features`] | one question per file, one answer per vertebra |
//! | [`findings`] | `findings.json`, schema v1 |
//! | [`eligibility`] | `verdict.json` by a rulebook |
//! | [`report`] | pictures, `report.md` |
//!
//! The ground below them is [`units`], [`geometry`], [`terms`] and [`problem`], with [`kernels`]
//! for image operations. [`screen`] walks the whole way, [`phantom`] makes studies with known
//! truth, [`evaluate`] compares with it.
//!
//! # A folder to its verdict
//!
//! ```
//! use osteoflag::{eligibility::Rulebook, features::Settings, screen, volume::LoadLimits};
//!
//! # let out = std::env::temp_dir().join(format!("osteoflag-doc-{}", std::process::id()));
//! # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ct_lumbar");
//! let options = screen::Options {
//!     settings: Settings::default(),
//!     rulebook: Rulebook::builtin()?,
//!     context: None,
//!     pictures: false,
//!     identifiers: false,
//!     masks: Vec::new(),
//!     label_maps: false,
//!     limits: LoadLimits { max_bytes: 1 << 30 },
//! };
//! let record = screen::run(&folder, &out, &options, &|_| {})?;
//! assert_eq!(record.exit_code, 0);
//! let study = &record.studies[0];
//! println!("{} vertebrae, {} findings", study.vertebrae, study.findings_present);
//! # assert!(study.vertebrae > 0);
//! # std::fs::remove_dir_all(&out)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
pub mod screen;

#[cfg(feature = "cli")]
pub mod cli;
