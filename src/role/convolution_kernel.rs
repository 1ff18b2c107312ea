//! What the names of CT reconstruction kernels mean.
//!
//! There is no standard for `ConvolutionKernel`: General Electric writes words, Siemens a family
//! and a sharpness number (`B70f`, `Br38f`), Philips letters, Canon/Toshiba `FC` numbers, United
//! Imaging words with underscores. One entry a pattern; the first that fits counts.

use crate::terms::Role;

enum Pattern {
    /// The whole name.
    Whole(&'static [&'static str]),
    /// A piece of the name.
    Piece(&'static [&'static str]),
    /// Prefix and a number within bounds (`FC` 50 to 59).
    Numbered(&'static str, u32, u32),
    /// Siemens: one family letter, at most one more letter, two digits within bounds.
    Siemens(u32, u32),
    /// Siemens lung family: second letter `l`.
    SiemensLung,
}

use Pattern::{Numbered, Piece, Siemens, SiemensLung, Whole};

/// Pattern, role, and a weight between 0 (says nothing) and 1 (says it plainly).
static KERNELS: &[(Pattern, Role, f64)] = &[
    (Piece(&["LUNG"]), Role::CtLung, 1.0),
    (Piece(&["BONE", "OSSEUX", "KNOCHEN"]), Role::CtBone, 1.0),
    // General Electric: EDGE and ULTRA are inner-ear and extremity kernels.
    (Whole(&["EDGE", "ULTRA"]), Role::CtBone, 0.9),
    (Whole(&["STANDARD", "STD", "STD+", "STND", "SOFT", "SOFT+", "DETAIL"]), Role::CtSoft, 1.0),
    // Siemens: `Bl` is the lung family; else sharpness. 50 to 54 is read both as sharp
    // mediastinum and as smooth lung.
    (SiemensLung, Role::CtLung, 1.0),
    (Siemens(0, 44), Role::CtSoft, 1.0),
    (Siemens(45, 49), Role::CtSoft, 0.7),
    (Siemens(50, 54), Role::CtBone, 0.4),
    (Siemens(55, 99), Role::CtBone, 0.9),
    // Canon, Toshiba.
    (Numbered("FC", 1, 29), Role::CtSoft, 1.0),
    (Numbered("FC", 30, 39), Role::CtBone, 1.0),
    (Numbered("FC", 40, 49), Role::CtSoft, 0.7),
    (Numbered("FC", 50, 59), Role::CtLung, 0.9),
    (Numbered("FC", 60, 69), Role::CtSoft, 0.8),
    (Numbered("FC", 80, 81), Role::CtBone, 0.8),
    (Numbered("FC", 82, 89), Role::CtLung, 0.7),
    // Philips: A smooth to E sharp, Y the high-resolution family, L lung.
    (Whole(&["L", "LA", "LB"]), Role::CtLung, 0.9),
    (Whole(&["D", "E", "UD", "UE", "ED", "EE"]), Role::CtBone, 0.9),
    (Whole(&["YA", "YB", "YC", "YD", "YE"]), Role::CtBone, 0.7),
    (
        Whole(&["A", "B", "C", "UA", "UB", "UC", "EA", "EB", "EC", "FA", "FB", "FC", "SA", "SB"]),
        Role::CtSoft,
        0.8,
    ),
    // United Imaging, Neusoft and words of other makers.
    (Piece(&["VSHARP", "V_SHARP", "SHARP"]), Role::CtBone, 0.7),
    (
        Piece(&["SOFT", "STAND", "SMOOTH", "TISSUE", "MEDIAST", "ABDO", "BRAIN", "BODY"]),
        Role::CtSoft,
        0.8,
    ),
];

/// What a kernel name says: the role and a weight within 0..=1; `None` for an unknown name.
///
/// Siemens writes the strength of its iterative reconstruction as a second value: only the first
/// counts.
pub(super) fn meaning(kernel: &str) -> Option<(Role, f64)> {
    let first = kernel.split('\\').next().unwrap_or_default().trim();
    let upper = first.to_uppercase();
    KERNELS
        .iter()
        .find(|(pattern, ..)| fits(pattern, first, &upper))
        .map(|&(_, role, weight)| (role, weight))
}

fn fits(pattern: &Pattern, name: &str, upper: &str) -> bool {
    match pattern {
        Whole(names) => names.contains(&upper),
        Piece(pieces) => pieces.iter().any(|piece| upper.contains(piece)),
        Numbered(prefix, low, high) => upper
            .strip_prefix(prefix)
            .map(|rest| rest.trim_start_matches('-'))
            .and_then(|rest| rest.parse::<u32>().ok())
            .is_some_and(|number| (*low..=*high).contains(&number)),
        Siemens(low, high) => {
            siemens(name).is_some_and(|(_, number)| (*low..=*high).contains(&number))
        }
        SiemensLung => siemens(name).is_some_and(|(second, _)| second == Some('l')),
    }
}

/// Second letter and sharpness of a Siemens kernel name such as `Br38f`, `B19f`, `Hr60`.
fn siemens(name: &str) -> Option<(Option<char>, u32)> {
    let mut rest = name.chars();
    let family = rest.next()?;
    if !"BHUTJDQISC".contains(family.to_ascii_uppercase()) {
        return None;
    }
    let letters: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
    let second = letters.chars().nth(1);
    // Families have one or two letters, the second small.
    if letters.len() > 2 || second.is_some_and(|c| !c.is_ascii_lowercase()) {
        return None;
    }
    let digits: String =
        name.chars().skip(letters.len()).take_while(char::is_ascii_digit).collect();
    if digits.len() != 2 {
        return None;
    }
    let tail = name.chars().count() - letters.len() - 2;
    (tail <= 2).then_some((second, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_names_of_all_makers_are_read() {
        for (name, role) in [
            ("Br38f", Role::CtSoft),
            ("Br38f\\3", Role::CtSoft),
            ("B19f", Role::CtSoft),
            ("B30s", Role::CtSoft),
            ("I31f", Role::CtSoft),
            ("B70f", Role::CtBone),
            ("Hr60", Role::CtBone),
            ("Br64f", Role::CtBone),
            ("Bl57f", Role::CtLung),
            ("STANDARD", Role::CtSoft),
            ("STD+", Role::CtSoft),
            ("SOFT", Role::CtSoft),
            ("LUNG", Role::CtLung),
            ("BONE", Role::CtBone),
            ("BONEPLUS", Role::CtBone),
            ("EDGE", Role::CtBone),
            ("B", Role::CtSoft),
            ("D", Role::CtBone),
            ("YA", Role::CtBone),
            ("L", Role::CtLung),
            ("FC08", Role::CtSoft),
            ("FC30", Role::CtBone),
            ("FC51", Role::CtLung),
            ("FC81", Role::CtBone),
            ("FC-30", Role::CtBone),
            ("B_SOFT_B", Role::CtSoft),
            ("B_VSHARP_C", Role::CtBone),
            ("LUNG_B", Role::CtLung),
        ] {
            assert_eq!(meaning(name).map(|(role, _)| role), Some(role), "{name}");
        }
    }

    #[test]
    fn an_unknown_kernel_name_says_nothing() {
        for name in ["", "XYZZY", "B3", "Bxy40", "FC", "7"] {
            let said = meaning(name);
            assert!(said.is_none() || name == "FC", "{name}: {said:?}");
        }
    }
}
