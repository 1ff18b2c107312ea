//! Seeded synthetic studies with truth, written as real DICOM.
