//! The structures of AV1 RTP A.10.2 as their tables have them, and others in the same form.

use wigwag_rtp::{DependencyStructure, Indication, Template};

/// A row a template: spatial and temporal layer, references, chains, indications; last the chain of each decode target.
pub(crate) fn structure(offset: u8, table: &str) -> DependencyStructure {
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split('|').map(str::trim).collect()).collect();
    let (chains, rows) = rows.split_last().expect("a last row");
    let rows: Vec<_> =
        rows.iter().map(|row| (numbers(row[0]), numbers(row[1]), numbers(row[2]), letters(row[3]))).collect();
    let templates: Vec<_> = rows
        .iter()
        .map(|(layer, fdiffs, chain_fdiffs, indications)| Template {
            spatial_id: layer[0],
            temporal_id: layer[1],
            indications,
            fdiffs,
            chain_fdiffs,
        })
        .collect();
    DependencyStructure::new(offset, &templates, &numbers(chains[0]), &[]).expect("a structure")
}

fn numbers(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

pub(crate) fn letters(text: &str) -> Vec<Indication> {
    let indication = |letter| match letter {
        'S' => Indication::Switch,
        'R' => Indication::Required,
        'D' => Indication::Discardable,
        _ => Indication::NotPresent,
    };
    text.chars().map(indication).collect()
}

/// A.10.2.1, with two temporal layers.
pub(crate) const L1T2: &str = "0 0 |   | 0 | SS
                        0 0 | 2 | 2 | SS
                        0 1 | 1 | 1 | D-
                        0 0";

/// A.10.2.1.
pub(crate) const L1T3: &str = "0 0 |   | 0 | SSS
                        0 0 | 4 | 4 | SSS
                        0 1 | 2 | 2 | SD-
                        0 2 | 1 | 1 | D--
                        0 2 | 1 | 3 | D--
                        0 0 0";

/// A.10.2.2.
pub(crate) const L3T3: &str = "0 0 |      | 0 0 0    | SSSSSSSSS
                        0 0 | 12   | 12 11 10 | RRRRRRSSS
                        0 1 | 6    | 6 5 4    | RR-RR-SD-
                        0 2 | 3    | 3 2 1    | R--R--D--
                        0 2 | 3    | 9 8 7    | R--R--D--
                        1 0 | 1    | 1 1 1    | SSSSSS---
                        1 0 | 12 1 | 1 1 1    | RRRSSS---
                        1 1 | 6 1  | 7 6 5    | RR-SD----
                        1 2 | 3 1  | 4 3 2    | R--D-----
                        1 2 | 3 1  | 10 9 8   | R--D-----
                        2 0 | 1    | 2 1 1    | SSS------
                        2 0 | 12 1 | 2 1 1    | SSS------
                        2 1 | 6 1  | 8 7 6    | SD-------
                        2 2 | 3 1  | 5 4 3    | D--------
                        2 2 | 3 1  | 11 10 9  | D--------
                        2 2 2 1 1 1 0 0 0";

/// A.10.2.3.
pub(crate) const L3T3_KEY_SHIFT: &str = "0 0 |    | 0 0 0   | SSSSSSSSS
                                  0 0 | 3  | 3 2 1   | ------SSS
                                  0 0 | 12 | 12 8 1  | ------SSS
                                  0 1 | 6  | 6 2 7   | ------SD-
                                  0 2 | 3  | 3 5 4   | ------D--
                                  0 2 | 3  | 9 5 10  | ------D--
                                  0 2 | 3  | 3 11 4  | ------D--
                                  1 0 | 1  | 1 1 1   | SSSSSS---
                                  1 0 | 6  | 4 6 5   | ---SSS---
                                  1 0 | 12 | 4 12 5  | ---SSS---
                                  1 1 | 6  | 10 6 11 | ---SD----
                                  1 2 | 3  | 1 3 2   | ---D-----
                                  1 2 | 3  | 7 3 8   | ---D-----
                                  1 2 | 3  | 1 9 2   | ---D-----
                                  2 0 | 1  | 2 1 1   | SSS------
                                  2 0 | 12 | 11 7 12 | SSS------
                                  2 1 | 6  | 5 1 6   | SD-------
                                  2 2 | 3  | 2 4 3   | D--------
                                  2 2 | 3  | 8 4 9   | D--------
                                  2 2 | 3  | 2 10 3  | D--------
                                  2 2 2 1 1 1 0 0 0";

/// As A.10.2.2, but that spatial layers refer to lower ones in key frames only.
pub(crate) const L3T3_KEY: &str = "0 0 |    | 0 0 0   | SSSSSSSSS
                            0 0 | 12 | 12 11 10 | ------SSS
                            0 1 | 6  | 6 5 4   | ------SD-
                            0 2 | 3  | 3 2 1   | ------D--
                            0 2 | 3  | 9 8 7   | ------D--
                            1 0 | 1  | 1 1 1   | SSSSSS---
                            1 0 | 12 | 1 12 11 | ---SSS---
                            1 1 | 6  | 7 6 5   | ---SD----
                            1 2 | 3  | 4 3 2   | ---D-----
                            1 2 | 3  | 10 9 8  | ---D-----
                            2 0 | 1  | 2 1 1   | SSS------
                            2 0 | 12 | 2 1 12  | SSS------
                            2 1 | 6  | 8 7 6   | SD-------
                            2 2 | 3  | 5 4 3   | D--------
                            2 2 | 3  | 11 10 9 | D--------
                            2 2 2 1 1 1 0 0 0";

/// Three streams of simulcast in one.
pub(crate) const S3T3: &str = "0 0 |    | 0 0 0   | ------SSS
                        0 0 | 12 | 12 11 10 | ------SSS
                        0 1 | 6  | 6 5 4   | ------SD-
                        0 2 | 3  | 3 2 1   | ------D--
                        0 2 | 3  | 9 8 7   | ------D--
                        1 0 |    | 1 0 0   | ---SSS---
                        1 0 | 12 | 1 12 11 | ---SSS---
                        1 1 | 6  | 7 6 5   | ---SD----
                        1 2 | 3  | 4 3 2   | ---D-----
                        1 2 | 3  | 10 9 8  | ---D-----
                        2 0 |    | 2 1 0   | SSS------
                        2 0 | 12 | 2 1 12  | SSS------
                        2 1 | 6  | 8 7 6   | SD-------
                        2 2 | 3  | 5 4 3   | D--------
                        2 2 | 3  | 11 10 9 | D--------
                        2 2 2 1 1 1 0 0 0";
