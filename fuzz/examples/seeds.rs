//! Writes the first seeds of every corpus: the vectors of the codec's tests, short conversations made of them, the
//! scenarios of `assay explore`'s first seeds, and the shortest scenario files.
//! Run by hand when vectors are added; `cargo fuzz cmin` keeps what is worth keeping.

use std::fs;
use std::path::Path;

use assay::generate::{Bytes, Choices, Seeded, generate};

/// A seed's decisions, and the bytes that would have led to them.
struct Recorder {
    seeded: Seeded,
    bytes: Vec<u8>,
}

impl Choices for Recorder {
    fn below(&mut self, bound: u32) -> u32 {
        let answer = self.seeded.below(bound);
        match bound {
            0 | 1 => {}
            2..=256 => self.bytes.push(answer as u8),
            _ => self.bytes.extend((answer as u16).to_be_bytes()),
        }
        answer
    }
}

/// Every vector in a source file: texts of hexadecimal digits with literal text in single quotes.
fn vectors(source: &str) -> Vec<Vec<u8>> {
    source.split('"').skip(1).step_by(2).filter_map(hex).filter(|bytes| bytes.len() >= 2).collect()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (place, part) in text.split('\'').enumerate() {
        if place % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Option<Vec<u32>> =
            part.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
        bytes.extend(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
    }
    Some(bytes)
}

fn main() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = fuzz.join("../reference-broker/src/codec/tests");
    let mut all = Vec::new();
    for file in ["vectors.rs", "malformed.rs"] {
        all.extend(vectors(&fs::read_to_string(tests.join(file)).expect("the tests of the codec")));
    }
    all.sort();
    all.dedup();
    let write = |target: &str, name: String, bytes: &[u8]| {
        let folder = fuzz.join("corpus").join(target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(name), bytes).expect("a seed");
    };
    for (number, bytes) in all.iter().enumerate() {
        write("decode", format!("vector-{number:03}"), bytes);
        write("differential", format!("vector-{number:03}"), bytes);
        write("round_trip", format!("vector-{number:03}"), &bytes.repeat(3));
    }
    // A conversation in each version: CONNECT, SUBSCRIBE, PUBLISH at every QoS, their acknowledgements, DISCONNECT.
    let bodies = [
        ("101000044D51545404020000000463757374", ""),
        ("101100044D5154540502000000000463757374", "00"),
        ("101200064D514973647003020000000463757374", ""),
    ];
    for (version, (connect, properties)) in bodies.iter().enumerate() {
        let mut packets = vec![hex(connect).expect("hexadecimal")];
        let body = |first: u8, text: &str| {
            let body = hex(&text.replace("PP", properties)).expect("hexadecimal");
            let mut packet = vec![first, body.len() as u8];
            packet.extend(body);
            packet
        };
        packets.push(body(0x82, "0001 PP 0001'#' 02"));
        packets.push(body(0x82, "0002 PP 0003'a/+' 01 0008'$share/g' 00"));
        packets.push(body(0x31, "0003'a/b' PP 'kept'"));
        packets.push(body(0x32, "0003'a/b' 0001 PP 'one'"));
        packets.push(body(0x34, "0003'a/b' 0002 PP 'two'"));
        packets.push(body(0x62, "0002"));
        packets.push(body(0x40, "0001"));
        packets.push(body(0x50, "0002"));
        packets.push(body(0x70, "0002"));
        packets.push(body(0xA2, "0003 PP 0001'#'"));
        packets.push(vec![0xC0, 0]);
        packets.push(vec![0xE0, 0]);
        for length in [1, 3, 6, packets.len()] {
            let stream = packets[..length].concat();
            for cuts in [&[1, 1, 1, 1][..], &[16, 4, 8], &[2, 30]] {
                let mut seed = vec![0xFF, cuts.len() as u8];
                seed.extend_from_slice(cuts);
                seed.extend_from_slice(&stream);
                write("split", format!("stream-{version}-{length}-{}", cuts.len()), &seed);
            }
            let mut seed = vec![0xFF, 0];
            for (place, packet) in packets[..length].iter().enumerate() {
                for slot in [0, 1] {
                    let mut bytes = packet.clone();
                    if place == 0 && slot == 1 {
                        let last = bytes.len() - 1;
                        bytes[last] = b'u';
                    }
                    seed.extend([slot, bytes.len() as u8]);
                    seed.extend(bytes);
                }
            }
            seed.extend([0xC0, 50, 0x80, 0, 0xC0, 255]);
            write("broker_bytes", format!("conversation-{version}-{length}"), &seed);
            write("broker_operations", format!("conversation-{version}-{length}"), &seed);
        }
    }
    // The scenarios of the first seeds that `assay explore` plays.
    for seed in 0..60 {
        let mut recorder = Recorder { seeded: Seeded::new(seed), bytes: Vec::new() };
        let scenario = generate(&mut recorder, "explore".into()).scenario;
        let read = generate(&mut Bytes::new(&recorder.bytes), "explore".into()).scenario;
        assert_eq!(format!("{read:?}"), format!("{scenario:?}"), "seed {seed}");
        write("explore", format!("seed-{seed:02}"), &recorder.bytes);
    }
    // Scenario files: the shortest of each folder.
    let mut files = Vec::new();
    collect(&fuzz.join("../scenarios"), &mut files);
    files.sort_by_key(|(text, _)| text.len());
    for (number, (text, _)) in files.iter().take(60).enumerate() {
        write("scenario_text", format!("scenario-{number:02}.yaml"), text.as_bytes());
    }
}

fn collect(folder: &Path, files: &mut Vec<(String, std::path::PathBuf)>) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "yaml") {
            files.push((fs::read_to_string(&path).expect("text"), path));
        }
    }
}
