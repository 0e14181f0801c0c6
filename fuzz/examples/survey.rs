//! Surveys what peers do differently: mutates the corpus of `differential` and counts every difference that the
//! table does not explain, each with its shortest example. For whoever updates a peer and has the table to mend.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assay_fuzz::differential::unexplained;

/// A small generator of its own: surveys are repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(200_000);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut seeds = Vec::new();
    for target in ["decode", "differential"] {
        let Ok(entries) = fs::read_dir(corpus.join(target)) else { continue };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        seeds.extend(paths.iter().filter_map(|path| fs::read(path).ok()).filter(|seed| !seed.is_empty()));
    }
    println!("{} seeds", seeds.len());
    let mut random = Random(88_172_645_463_325_252);
    let mut found: BTreeMap<String, (usize, Vec<u8>, String)> = BTreeMap::new();
    for round in 0..rounds {
        let mut bytes = seeds[round % seeds.len()].clone();
        if round >= seeds.len() {
            for _ in 0..random.below(4) + 1 {
                let place = random.below(bytes.len());
                match random.below(5) {
                    0 => bytes[place] = random.below(256) as u8,
                    1 => bytes[place] ^= 1 << random.below(8),
                    2 => bytes[place] = [0, 1, 2, 3, 0x7F, 0x80, 0xFF][random.below(7)],
                    3 => bytes.insert(place, random.below(256) as u8),
                    _ if bytes.len() > 2 => {
                        bytes.remove(place);
                    }
                    _ => {}
                }
            }
            // Most packets are short: keep the length right, or all that is found is wrong lengths.
            if bytes.len() >= 2 && bytes.len() < 130 && random.below(8) > 0 {
                bytes[1] = bytes.len() as u8 - 2;
            }
        }
        for finding in unexplained(&bytes) {
            let key = format!(
                "{} {} {:?} {:?}",
                finding.peer, finding.version, finding.packet, finding.differences
            );
            let entry = found.entry(key).or_insert_with(|| (0, bytes.clone(), finding.outcome.clone()));
            entry.0 += 1;
            if bytes.len() < entry.1.len() {
                entry.1.clone_from(&bytes);
                entry.2.clone_from(&finding.outcome);
            }
        }
    }
    for (key, (count, bytes, outcome)) in found {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X} ")).collect();
        println!("{count:7} {key}\n        {hex}\n        {}", outcome.chars().take(160).collect::<String>());
    }
}
