//! The evidence rules: one entry is one rule.
//!
//! A rule reads one tag, and says what it would mean. Weights: 2 a tag made for the purpose;
//! 1 to 1.5 physics (times, b value) or an own word of the scanner; 0.8 free text, which people
//! edit and copy; 0.3 to 0.6 a hint. They were set by hand and checked on the series of
//! `OSTEOFLAG_DATA`; they are no probabilities.

use super::clues::Clues;
use crate::terms::{ContrastMedium, Role};

/// What a rule speaks for.
#[derive(Clone, Copy)]
pub(super) enum Supports {
    /// What kind of image it is (localizer, map, diffusion …). Decides before the weighting: a
    /// diffusion image is T2-weighted as well.
    Kind(Role),
    /// The weighting of an ordinary image. `Role::Other` is a known weighting without a role.
    Weighting(Role),
    /// Contrast medium.
    Contrast(ContrastMedium),
    /// Fat is suppressed.
    FatSuppression,
}

/// One rule.
pub(super) struct Rule {
    /// The tag (DICOM keyword) it reads; [`TEXT`] for the free text in use.
    pub source: &'static str,
    /// What was seen, for people.
    pub seen: &'static str,
    /// What it speaks for.
    pub supports: Supports,
    /// How much.
    pub weight: f64,
    /// Whether it holds.
    pub test: fn(&Clues<'_>) -> bool,
}

/// Stands for `SeriesDescription`, else `ProtocolName`.
pub(super) const TEXT: &str = "text";

const fn rule(
    source: &'static str,
    seen: &'static str,
    supports: Supports,
    weight: f64,
    test: fn(&Clues<'_>) -> bool,
) -> Rule {
    Rule { source, seen, supports, weight, test }
}

use Supports::{Contrast, FatSuppression, Kind, Weighting};

/// Rules for CT and MR alike.
pub(super) static COMMON: &[Rule] = &[
    rule("ImageType", "says localizer", Kind(Role::Localizer), 2.0, |c| {
        c.image_type(&["LOCALIZER", "SCOUT"])
    }),
    rule(TEXT, "a word for localizer", Kind(Role::Localizer), 1.0, |c| {
        c.word(&[
            "loc",
            "locs",
            "localizer",
            "localiser",
            "localizers",
            "scout",
            "survey",
            "topogram",
            "scanogram",
            "surview",
            "3plane",
            "aascout",
            "scoutview",
        ]) || c.piece(&["3-plane", "3 plane", "three plane", "localizer", "localiser"])
    }),
    rule("ImageType", "says derived", Kind(Role::Derived), 0.5, |c| {
        c.is_derived() && !c.image_type(&["REFORMATTED", "MPR", "RESAMPLED", "COMPOSED"])
    }),
    rule("ImageType", "names a computed image", Kind(Role::Derived), 1.5, |c| {
        c.image_flavour(&[
            "SUB",
            "SUBTRACT",
            "SUBTRACTION",
            "MIP",
            "MINIP",
            "MIN IP",
            "PROJECTION IMAGE",
            "PROJECTION",
            "MAP",
            "T1 MAP",
            "T1_MAP",
            "T2 MAP",
            "T2_MAP",
            "PHASE MAP",
            "FUSED",
            "FUSION",
            "PERFUSION",
            "KTRANS",
            "VRT",
            "SSD",
            "VOLUME_RENDERED",
            "TTP",
            "CBF",
            "CBV",
        ]) || (c.is_derived() && c.image_flavour(&["SER", "DCE"]))
    }),
    rule(TEXT, "a word for a computed image", Kind(Role::Derived), 0.8, |c| {
        c.word(&["mip", "minip", "subtraction", "vrt", "ktrans"])
            || c.piece(&["t1 map", "t2 map", "t1_map", "t2_map"])
    }),
    rule("ImageType", "a page or screen", Kind(Role::NotAnImage), 2.0, |c| {
        c.image_type(&["SCREEN SAVE", "SCREENSAVE", "DOSE", "DOSE_INFO", "REPORT"])
    }),
    rule(TEXT, "a word for a page of text", Kind(Role::NotAnImage), 1.0, |c| {
        c.piece(&["dose report", "dose info", "patient protocol", "screen save", "screen capture"])
    }),
    rule("ContrastBolusAgent", "names an agent", Contrast(ContrastMedium::Given), 1.0, |c| {
        agent(c) == Some(true)
    }),
    rule("ContrastBolusAgent", "says none", Contrast(ContrastMedium::NotGiven), 0.6, |c| {
        agent(c) == Some(false)
    }),
    rule(TEXT, "a word for contrast medium", Contrast(ContrastMedium::Given), 0.8, |c| {
        c.text_names_contrast()
    }),
    rule(TEXT, "a word for no contrast medium", Contrast(ContrastMedium::NotGiven), 0.6, |c| {
        c.text_denies_contrast()
    }),
];

/// Rules for CT beside the kernel.
pub(super) static CT: &[Rule] = &[
    rule(TEXT, "a word for bone", Weighting(Role::CtBone), 0.6, |c| {
        c.word(&["bone", "bones", "knochen", "osseous"])
    }),
    rule(TEXT, "a word for lung", Weighting(Role::CtLung), 0.6, |c| {
        c.word(&["lung", "lunge", "pulmo", "lungs"])
    }),
    rule(TEXT, "a word for soft tissue", Weighting(Role::CtSoft), 0.6, |c| {
        c.word(&["soft", "standard", "std", "mediastinum", "weichteil", "weichteile"])
    }),
    rule("ImageType", "names a spectral map", Kind(Role::Derived), 1.5, |c| {
        c.image_flavour(&[
            "IODINE",
            "VNC",
            "VIRTUAL",
            "Z_EFF",
            "ZEFF",
            "EFF_Z",
            "RHO",
            "CALC_SUPP",
            "VUE",
            "WATER",
            "ELECTRON_DENSITY",
        ])
    }),
];

/// Rules for MR.
pub(super) static MR: &[Rule] = &[
    // Maps and diffusion.
    rule("ImageType", "says ADC", Kind(Role::MrAdc), 2.0, |c| {
        c.image_type(&["ADC", "EADC", "ADC_MAP"])
    }),
    rule(TEXT, "a word for ADC", Kind(Role::MrAdc), 1.2, |c| {
        c.word(&["adc", "eadc", "dadc"]) || c.piece(&["apparent diff"])
    }),
    // The b value stays in the header of an ADC map made from it.
    rule("DiffusionBValue", "b above 0", Kind(Role::MrDwi), 1.5, |c| {
        c.diffusion_weighted() && !c.is_derived()
    }),
    rule("ImageType", "says diffusion", Kind(Role::MrDwi), 1.5, |c| {
        c.image_type(&["DIFFUSION", "TRACEW", "DWI", "FA"])
    }),
    rule("AcquisitionContrast", "says diffusion", Kind(Role::MrDwi), 1.5, |c| {
        c.acquisition_contrast(&["DIFFUSION"])
    }),
    rule(TEXT, "a word for diffusion", Kind(Role::MrDwi), 0.9, |c| {
        !c.word(&["adc", "eadc", "dadc"])
            && !c.piece(&["apparent diff"])
            && (c.word(&["dwi", "dti", "diff", "diffusion", "tensor", "dwibs", "tracew"])
                || c.piece(&["_diff", "ep2d_diff"]))
    }),
    rule("SequenceName", "a diffusion sequence", Kind(Role::MrDwi), 0.8, |c| {
        c.sequence_name(&["ep_b", "dti", "dwi", "diff"])
    }),
    rule("ScanningSequence", "echo-planar spin echo", Kind(Role::MrDwi), 0.5, |c| {
        c.scanning_sequence(&["EP"]) && !c.scanning_sequence(&["GR"])
    }),
    // Known kinds that have no role.
    rule("ScanningSequence", "echo-planar gradient echo", Kind(Role::Other), 1.0, |c| {
        c.scanning_sequence(&["EP"]) && c.scanning_sequence(&["GR"])
    }),
    rule(TEXT, "a word for T2* or susceptibility", Kind(Role::Other), 1.0, |c| {
        c.piece(&["t2*", "t2star", "t2_star", "t2 star"])
            || c.word(&["swi", "swan", "medic", "merge", "me2d", "mffe"])
    }),
    rule("EchoTime", "gradient echo with a long TE", Kind(Role::Other), 0.8, |c| {
        c.gradient_echo() && c.te().is_some_and(|te| te >= 12.0)
    }),
    rule(TEXT, "a word for balanced gradient echo", Kind(Role::Other), 1.0, |c| {
        c.word(&["trufi", "truefisp", "fiesta", "bffe", "btfe", "ciss", "trufisp"])
            || c.piece(&["b-ffe", "b-tfe"])
    }),
    rule(TEXT, "a word for angiography, myelography or function", Kind(Role::Other), 1.0, |c| {
        c.word(&[
            "tof",
            "mra",
            "angio",
            "fmri",
            "bold",
            "mrcp",
            "myelo",
            "myelogram",
            "pcasl",
            "asl",
        ])
    }),
    rule("ImageType", "a phase or imaginary image", Kind(Role::Derived), 1.5, |c| {
        c.image_flavour(&["P", "I", "PHASE"])
    }),
    rule("ComplexImageComponent", "a phase or imaginary image", Kind(Role::Derived), 1.5, |c| {
        c.tags.complex_image_component.as_ref().is_some_and(|said| {
            ["PHASE", "IMAGINARY"].iter().any(|code| said.eq_ignore_ascii_case(code))
        })
    }),
    // Fat and water.
    rule("ImageType", "says in phase", Kind(Role::MrInPhase), 2.0, |c| {
        c.image_flavour(&["IN_PHASE", "INPHASE", "IN PHASE", "IP"])
    }),
    rule("ImageType", "says opposed phase", Kind(Role::MrOpposedPhase), 2.0, |c| {
        c.image_flavour(&["OUT_PHASE", "OPP_PHASE", "OPPOSED_PHASE", "OUT PHASE", "OP"])
    }),
    rule("ImageType", "says water", Kind(Role::MrDixonWater), 2.0, |c| {
        c.image_flavour(&["WATER", "W"])
    }),
    rule("ImageType", "says fat", Kind(Role::MrDixonFat), 2.0, |c| c.image_flavour(&["FAT", "F"])),
    rule("ImageType", "says fat fraction", Kind(Role::MrFatFraction), 2.0, |c| {
        c.image_flavour(&[
            "FAT_FRACTION",
            "FATFRAC",
            "FATFRACTION",
            "FF",
            "FAT FRACTION",
            "FAT_PERCENTAGE",
        ])
    }),
    rule(TEXT, "a word for fat fraction", Kind(Role::MrFatFraction), 1.0, |c| {
        c.word(&["pdff", "fatfrac", "fatfraction"])
            || c.piece(&["fat fraction", "fat_fraction", "fat_frac"])
    }),
    rule(TEXT, "a word for in phase", Kind(Role::MrInPhase), 1.0, |c| {
        !names_opposed(c)
            && (c.piece(&["in phase", "in_phase", "in-phase"])
                || c.word(&["inphase"])
                || (names_dixon(c) && c.last_word(&["in", "ip"])))
    }),
    rule(TEXT, "a word for opposed phase", Kind(Role::MrOpposedPhase), 1.0, |c| {
        names_opposed(c) && !c.piece(&["in phase", "in_phase", "in-phase", "inphase"])
    }),
    rule(TEXT, "a word for the water image", Kind(Role::MrDixonWater), 1.0, |c| {
        c.piece(&["water:", "water only"])
            || (names_dixon(c) && (c.last_word(&["w", "water"]) || c.word(&["water"])))
    }),
    rule(TEXT, "a word for the fat image", Kind(Role::MrDixonFat), 1.0, |c| {
        c.piece(&["fat:", "fat only"]) || (names_dixon(c) && c.last_word(&["f", "fat"]))
    }),
    rule("EchoTime", "fits in phase at this field", Kind(Role::MrInPhase), 0.3, |c| {
        phase_cycles(c).is_some_and(|cycles| (cycles - libm::round(cycles)).abs() < 0.08)
            && names_phase(c)
    }),
    rule("EchoTime", "fits opposed phase at this field", Kind(Role::MrOpposedPhase), 0.3, |c| {
        phase_cycles(c).is_some_and(|cycles| (cycles - libm::floor(cycles) - 0.5).abs() < 0.08)
            && names_phase(c)
    }),
    // Weighting by what the scanner says.
    rule("AcquisitionContrast", "says T1", Weighting(Role::MrT1), 1.2, |c| {
        c.acquisition_contrast(&["T1"])
    }),
    rule("AcquisitionContrast", "says T2", Weighting(Role::MrT2), 1.2, |c| {
        c.acquisition_contrast(&["T2"])
    }),
    rule("AcquisitionContrast", "says proton density", Weighting(Role::MrPd), 1.2, |c| {
        c.acquisition_contrast(&["PROTON_DENSITY"])
    }),
    rule("AcquisitionContrast", "says STIR", Weighting(Role::MrStir), 1.2, |c| {
        c.acquisition_contrast(&["STIR"])
    }),
    rule(
        "AcquisitionContrast",
        "says T2*, fluid attenuated or flow",
        Weighting(Role::Other),
        1.2,
        |c| {
            c.acquisition_contrast(&[
                "T2_STAR",
                "FLUID_ATTENUATED",
                "FLOW_ENCODED",
                "PERFUSION",
                "TOF",
            ])
        },
    ),
    rule("ImageType", "says T1", Weighting(Role::MrT1), 0.6, |c| c.image_flavour(&["T1"])),
    rule("ImageType", "says T2", Weighting(Role::MrT2), 0.6, |c| c.image_flavour(&["T2"])),
    rule("ImageType", "says proton density", Weighting(Role::MrPd), 0.6, |c| {
        c.image_flavour(&["PROTON_DENSITY"])
    }),
    rule("ImageType", "says STIR", Weighting(Role::MrStir), 0.6, |c| c.image_flavour(&["STIR"])),
    // Weighting by times, ms. Spin echo; an inversion changes what they mean.
    rule("RepetitionTime", "spin echo, short TR and TE", Weighting(Role::MrT1), 1.3, |c| {
        plain_spin_echo(c) && c.timing((150.0, 1000.0), (1.0, 35.0))
    }),
    rule(
        "RepetitionTime",
        "spin echo, middling TR and short TE",
        Weighting(Role::MrT1),
        0.3,
        |c| plain_spin_echo(c) && c.timing((1000.1, 1299.9), (1.0, 35.0)),
    ),
    rule("RepetitionTime", "spin echo, long TR and short TE", Weighting(Role::MrPd), 1.0, |c| {
        plain_spin_echo(c) && c.timing((1300.0, 1e5), (1.0, 45.0))
    }),
    rule("RepetitionTime", "spin echo, long TR and middling TE", Weighting(Role::MrT2), 0.4, |c| {
        plain_spin_echo(c) && c.timing((1300.0, 1e5), (45.1, 64.9))
    }),
    rule("RepetitionTime", "spin echo, long TR and middling TE", Weighting(Role::MrPd), 0.4, |c| {
        plain_spin_echo(c) && c.timing((1300.0, 1e5), (45.1, 64.9))
    }),
    rule("RepetitionTime", "spin echo, long TR and TE", Weighting(Role::MrT2), 1.3, |c| {
        plain_spin_echo(c) && c.timing((1000.0, 1e5), (65.0, 1e4))
    }),
    rule("RepetitionTime", "gradient echo, short TR and TE", Weighting(Role::MrT1), 0.9, |c| {
        c.gradient_echo()
            && c.timing((1.0, 300.0), (0.1, 8.0))
            // A balanced gradient echo has a large flip angle at a very short TR.
            && !(c.tr().is_some_and(|tr| tr < 8.0)
                && c.tags.flip_angle_deg.is_some_and(|flip| flip >= 35.0))
    }),
    // A prepared gradient echo (MPRAGE): its TI is long and nulls nothing that matters here.
    rule("InversionTime", "gradient echo after a long TI", Weighting(Role::MrT1), 1.3, |c| {
        c.ti().is_some_and(|ti| ti >= 350.0) && c.te().is_some_and(|te| te <= 10.0)
    }),
    rule("InversionTime", "short TI of fat", Weighting(Role::MrStir), 1.5, |c| {
        c.ti().is_some_and(|ti| (70.0..=260.0).contains(&ti))
            && c.tr().is_some_and(|tr| tr >= 1000.0)
            && !c.scanning_sequence(&["GR"])
    }),
    rule(
        "InversionTime",
        "inversion recovery with middling TI, short TE",
        Weighting(Role::MrT1),
        1.0,
        |c| {
            c.ti().is_some_and(|ti| (400.0..1200.0).contains(&ti))
                && c.te().is_some_and(|te| te > 10.0 && te <= 45.0)
        },
    ),
    rule("InversionTime", "long TI of fluid, long TE", Weighting(Role::Other), 1.5, |c| {
        c.ti().is_some_and(|ti| ti >= 1200.0) && c.te().is_some_and(|te| te >= 60.0)
    }),
    // Weighting by the sequence.
    rule("SequenceName", "a fluid-attenuated sequence", Weighting(Role::Other), 1.0, |c| {
        c.sequence_name(&["flair"]) && !c.names_weighting("t1")
    }),
    rule("SequenceName", "a spoiled gradient echo", Weighting(Role::MrT1), 0.4, |c| {
        c.sequence_name(&[
            "tfl", "fl3d", "fl2d", "fspgr", "efgre", "3dfgre", "spgr", "vibe", "gre_fsp",
        ])
    }),
    rule("SequenceName", "a single-shot spin echo", Weighting(Role::MrT2), 0.5, |c| {
        c.sequence_name(&["h2d", "fase", "ssfse", "haste"])
    }),
    rule("ScanningSequence", "inversion without a TI", Weighting(Role::MrStir), 0.3, |c| {
        c.scanning_sequence(&["IR"]) && c.ti().is_none() && !c.scanning_sequence(&["GR"])
    }),
    // Weighting by free text.
    rule(TEXT, "a word for T1", Weighting(Role::MrT1), 0.8, |c| {
        c.names_weighting("t1") || c.word(&["mprage", "bravo"])
    }),
    rule(TEXT, "a word for T2", Weighting(Role::MrT2), 0.8, |c| {
        (c.names_weighting("t2") || c.word(&["haste", "ssfse"]))
            && !names_stir(c)
            && !c.names_flair()
            && !c.piece(&["t2*", "t2star", "t2_star", "t2 star"])
    }),
    rule(TEXT, "a word for STIR", Weighting(Role::MrStir), 0.9, |c| {
        names_stir(c) && !c.names_flair()
    }),
    rule(TEXT, "a word for FLAIR", Weighting(Role::Other), 1.0, names_flair),
    rule(TEXT, "a word for proton density", Weighting(Role::MrPd), 0.8, |c| {
        c.word(&["pd", "pdw", "pdwi", "proton", "dp"])
    }),
    // Fat suppression.
    rule("ScanOptions", "fat saturation", FatSuppression, 1.0, |c| {
        c.scan_options(&["FS", "SPIR", "SPAIR", "CHESS", "FATSAT"])
    }),
    rule(TEXT, "a word for fat suppression", FatSuppression, 0.8, |c| {
        c.word(&["fs", "fatsat", "spair", "spir", "fatsuppressed", "chess"])
            || c.piece(&["fat sat", "fat-sat", "fat_sat", "fat sup", "fat-sup"])
    }),
    rule("SequenceVariant", "water excitation", FatSuppression, 0.4, |c| {
        c.sequence_variant(&["WE"])
    }),
];

/// What `ContrastBolusAgent` says: an agent, a word for none, or nothing.
fn agent(c: &Clues<'_>) -> Option<bool> {
    let said = c.tags.contrast_bolus_agent.as_ref()?.trim().to_lowercase();
    if said.is_empty() {
        return None;
    }
    let none = [
        "none",
        "no",
        "n",
        "0",
        "nil",
        "-",
        "--",
        "without",
        "ohne",
        "keine",
        "kein",
        "aucun",
        "no contrast",
        "non",
        "n/a",
        "na",
        "not given",
        "unenhanced",
        "false",
        "w/o",
        "nein",
    ];
    Some(!none.contains(&said.as_str()))
}

/// Whether TR and TE mean what they mean in a plain spin echo. An inversion that only free text
/// tells of has the times of T2, and is none.
fn plain_spin_echo(c: &Clues<'_>) -> bool {
    !c.gradient_echo() && !c.inverts() && !names_stir(c) && !c.piece(&["flair"]) && !c.names_flair()
}

fn names_flair(c: &Clues<'_>) -> bool {
    c.names_flair()
}

fn names_stir(c: &Clues<'_>) -> bool {
    c.word(&["stir", "tirm", "tir", "t2stir", "stirlong"]) || c.piece(&["stir_", "_stir", "tirm"])
}

fn names_dixon(c: &Clues<'_>) -> bool {
    c.piece(&["dixon", "ideal", "lava-flex", "lava flex"]) || c.word(&["flex"])
}

fn names_opposed(c: &Clues<'_>) -> bool {
    c.piece(&[
        "out of phase",
        "out phase",
        "out_phase",
        "out-of-phase",
        "opposed",
        "opp phase",
        "opp_phase",
        "outphase",
    ]) || c.word(&["oop", "opp"])
}

/// Whether anything but the echo time speaks of phases: an echo time alone fits either by chance.
fn names_phase(c: &Clues<'_>) -> bool {
    names_opposed(c)
        || names_dixon(c)
        || c.piece(&["in phase", "in_phase", "in-phase", "inphase", "dual echo"])
        || c.image_flavour(&["IN_PHASE", "OUT_PHASE", "OPP_PHASE", "IP", "OP"])
}

/// Turns of fat against water (3.4 ppm) at the echo time.
fn phase_cycles(c: &Clues<'_>) -> Option<f64> {
    let hertz = 42.577 * 3.4 * c.field_strength()?;
    c.gradient_echo().then_some(())?;
    Some(c.te()? / 1000.0 * hertz)
}
