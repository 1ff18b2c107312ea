//! Tags in the form in which rules ask them: words, numbers in one unit, sets of codes.

use crate::series::{Series, SeriesTags};

/// The tags of one series, made ready for the rules.
pub(super) struct Clues<'a> {
    /// The tags as read.
    pub tags: &'a SeriesTags,
    /// `RescaleIntercept` of the first slice.
    pub rescale_intercept: Option<f64>,
    /// Keyword of the free text that is used.
    pub text_source: &'static str,
    /// `SeriesDescription`, else `ProtocolName`, in lower case. One text only: a protocol name
    /// mostly repeats the description, and would count twice.
    text: String,
    words: Vec<String>,
}

impl<'a> Clues<'a> {
    pub(super) fn of(series: &'a Series) -> Self {
        let tags = &series.tags;
        let (text_source, text) = match (&tags.series_description, &tags.protocol_name) {
            (Some(text), _) => ("SeriesDescription", text.as_str()),
            (None, Some(text)) => ("ProtocolName", text.as_str()),
            (None, None) => ("SeriesDescription", ""),
        };
        let text = text.to_lowercase();
        let words = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        let rescale_intercept = series.slices.first().map(|slice| slice.rescale_intercept);
        Self { tags, rescale_intercept, text_source, text, words }
    }

    /// Whether the free text has one of these words, whole.
    pub(super) fn word(&self, any: &[&str]) -> bool {
        self.words.iter().any(|word| any.contains(&word.as_str()))
    }

    /// Whether the free text holds one of these pieces anywhere.
    pub(super) fn piece(&self, any: &[&str]) -> bool {
        any.iter().any(|piece| self.text.contains(piece))
    }

    /// The last word of the free text.
    pub(super) fn last_word(&self, any: &[&str]) -> bool {
        self.words.last().is_some_and(|word| any.contains(&word.as_str()))
    }

    /// Whether the free text names the weighting `t1` or `t2`: the word itself, or a word that
    /// starts with it (`t1w`, `t2tse`), but not a vertebral level (`T12`; `T1` beside one).
    pub(super) fn names_weighting(&self, weighting: &str) -> bool {
        let is_level = |word: &String| {
            ['t', 'c']
                .iter()
                .find_map(|&letter| word.strip_prefix(letter))
                .and_then(|number| number.parse::<u32>().ok())
                .is_some_and(|number| (3..=13).contains(&number))
        };
        if self.words.iter().any(is_level) {
            return false;
        }
        self.words.iter().any(|word| {
            word.strip_prefix(weighting)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    }

    /// Whether a fluid-attenuated inversion recovery is named, other than a T1 FLAIR (which is
    /// T1-weighted).
    pub(super) fn names_flair(&self) -> bool {
        (self.piece(&["flair", "dark-fluid", "dark_fluid", "darkfluid", "dark fluid"])
            || self.sequence_name(&["flair"]))
            && !self.names_weighting("t1")
    }

    /// Whether free text says that no contrast medium was given.
    pub(super) fn text_denies_contrast(&self) -> bool {
        self.piece(&[
            "w/o",
            "without",
            "ohne",
            "non contrast",
            "non-contrast",
            "noncontrast",
            "no contrast",
            "precontrast",
            "pre contrast",
            "pre-contrast",
            "pre gad",
            "pre gd",
            "sans inj",
            "sin contraste",
        ]) || self.word(&[
            "nativ",
            "native",
            "unenhanced",
            "noncon",
            "pre",
            "plain",
            "nect",
            "ncct",
        ])
    }

    /// Whether free text says that contrast medium was given.
    pub(super) fn text_names_contrast(&self) -> bool {
        !self.text_denies_contrast()
            && (self.word(&[
                "gd",
                "gad",
                "gado",
                "gadolinium",
                "km",
                "contrast",
                "dotarem",
                "gadovist",
                "enhanced",
                "cect",
                "arterial",
                "portal",
                "portovenous",
                "venous",
                "postcontrast",
                "ce",
            ]) || self.piece(&["+c", "c+", "+gd", "+km", "post gad", "post con", "post inj"]))
    }

    /// One of the values of `ImageType`.
    pub(super) fn image_type(&self, any: &[&str]) -> bool {
        has_code(&self.tags.image_type, any)
    }

    /// The third and later values of `ImageType` (the first two say original or derived, primary
    /// or secondary).
    pub(super) fn image_flavour(&self, any: &[&str]) -> bool {
        self.tags.image_type.get(2..).is_some_and(|rest| has_code(rest, any))
    }

    pub(super) fn is_derived(&self) -> bool {
        self.tags.image_type.first().is_some_and(|first| first.eq_ignore_ascii_case("DERIVED"))
    }

    /// One of the values of `ScanningSequence`.
    pub(super) fn scanning_sequence(&self, any: &[&str]) -> bool {
        has_code(&self.tags.scanning_sequence, any)
    }

    /// One of the values of `SequenceVariant`.
    pub(super) fn sequence_variant(&self, any: &[&str]) -> bool {
        has_code(&self.tags.sequence_variant, any)
    }

    /// One of the values of `ScanOptions`.
    pub(super) fn scan_options(&self, any: &[&str]) -> bool {
        has_code(&self.tags.scan_options, any)
    }

    /// Whether `SequenceName` holds one of these pieces.
    pub(super) fn sequence_name(&self, any: &[&str]) -> bool {
        self.tags.sequence_name.as_ref().is_some_and(|name| {
            let name = name.to_lowercase();
            any.iter().any(|piece| name.contains(piece))
        })
    }

    /// Whether `AcquisitionContrast` is one of these.
    pub(super) fn acquisition_contrast(&self, any: &[&str]) -> bool {
        self.tags
            .acquisition_contrast
            .as_ref()
            .is_some_and(|said| any.iter().any(|code| said.eq_ignore_ascii_case(code)))
    }

    /// `RepetitionTime`, ms, where given and positive.
    pub(super) fn tr(&self) -> Option<f64> {
        self.tags.repetition_time_ms.filter(|&ms| ms > 0.0)
    }

    /// `EchoTime`, ms, where given and positive.
    pub(super) fn te(&self) -> Option<f64> {
        self.tags.echo_time_ms.filter(|&ms| ms > 0.0)
    }

    /// `InversionTime`, ms; a stored 0 means that there was no inversion.
    pub(super) fn ti(&self) -> Option<f64> {
        self.tags.inversion_time_ms.filter(|&ms| ms > 0.0)
    }

    /// Whether the sequence inverts.
    pub(super) fn inverts(&self) -> bool {
        self.ti().is_some() || self.scanning_sequence(&["IR"])
    }

    /// Whether TR lies in `tr` and TE in `te` (ms, both ends included).
    pub(super) fn timing(&self, tr: (f64, f64), te: (f64, f64)) -> bool {
        let within = |value: Option<f64>, (low, high): (f64, f64)| {
            value.is_some_and(|value| value >= low && value <= high)
        };
        within(self.tr(), tr) && within(self.te(), te)
    }

    /// Gradient echo, as far as told: `GR`, or neither `SE` nor `EP` (GE's research mode `RM`)
    /// with a TR that no spin echo has.
    pub(super) fn gradient_echo(&self) -> bool {
        self.scanning_sequence(&["GR"])
            || (!self.scanning_sequence(&["SE", "EP"]) && self.tr().is_some_and(|tr| tr <= 100.0))
    }

    /// Field strength in tesla. Old scanners write gauss, some ten times too much.
    pub(super) fn field_strength(&self) -> Option<f64> {
        let stored = self.tags.magnetic_field_strength_t.filter(|&t| t > 0.0)?;
        let tesla = if stored > 100.0 { stored / 10_000.0 } else { stored };
        (tesla <= 12.0).then_some(tesla)
    }

    /// Whether the diffusion weighting is more than none. A b value of 0 stands in many headers
    /// of ordinary sequences.
    pub(super) fn diffusion_weighted(&self) -> bool {
        self.tags.diffusion_b_value.is_some_and(|b| b > 0.0)
    }
}

fn has_code(codes: &[String], any: &[&str]) -> bool {
    codes.iter().any(|code| any.iter().any(|wanted| code.trim().eq_ignore_ascii_case(wanted)))
}
