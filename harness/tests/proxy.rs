//! `assay proxy` on real sockets: a client that is not ours, the network model, the reference broker.
//!
//! Lower limits of times are the model's promise; there are no upper ones.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A command that runs until it is dropped, and the address that its first line names.
struct Running(Child, SocketAddr);

impl Running {
    fn start(arguments: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the command starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let address = line.split_whitespace().find_map(|word| word.trim_end_matches(';').parse().ok());
        Running(child, address.unwrap_or_else(|| panic!("no address in {line:?}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn broker() -> Running {
    Running::start(&["serve", "--listen", "127.0.0.1:0"])
}

fn proxy(to: SocketAddr, network: &[&str]) -> Running {
    let to = to.to_string();
    let mut arguments = vec!["proxy", "--listen", "127.0.0.1:0", "--to", &to];
    arguments.extend_from_slice(network);
    Running::start(&arguments)
}

const CONNECT: &[u8] = &[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 2, b'a', b'b'];
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const PINGREQ: &[u8] = &[0xC0, 0];
const PINGRESP: [u8; 2] = [0xD0, 0];

fn answer<const N: usize>(stream: &mut TcpStream, request: &[u8]) -> [u8; N] {
    stream.write_all(request).expect("it can be sent");
    let mut answer = [0; N];
    stream.read_exact(&mut answer).expect("it is answered");
    answer
}

#[test]
fn a_foreign_client_reaches_the_broker_as_late_as_the_network_says() {
    let broker = broker();
    let proxy = proxy(broker.1, &["--network", "{ latency: 400ms, split: bytes }"]);
    let mut stream = TcpStream::connect(proxy.1).expect("it listens");
    stream.write_all(CONNECT).expect("it can be sent");
    // The connection is opened by a round trip, and CONNECT makes another.
    stream.set_read_timeout(Some(Duration::from_millis(1200))).expect("it can be set");
    let early = stream.read(&mut [0; 4]).expect_err("nothing can be there yet");
    assert!(matches!(early.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{early}");
    stream.set_read_timeout(None).expect("it can be set");
    assert_eq!(answer(&mut stream, &[]), CONNACK);
    assert_eq!(answer(&mut stream, PINGREQ), PINGRESP);
    // DISCONNECT, and the broker closes: the end comes through in both directions.
    stream.write_all(&[0xE0, 0]).expect("it can be sent");
    assert_eq!(stream.read(&mut [0; 8]).expect("it ends in order"), 0);
}

#[test]
fn a_reset_comes_as_a_reset_and_the_next_connection_works() {
    let broker = broker();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("faults.yaml");
    std::fs::write(&file, "steps: [ { wait: 500ms }, reset ]\nrepeat: true\n").expect("it can be written");
    let proxy = proxy(broker.1, &[file.to_str().expect("a path")]);
    for _ in 0..2 {
        let mut stream = TcpStream::connect(proxy.1).expect("it listens");
        assert_eq!(answer(&mut stream, CONNECT), CONNACK);
        let error = stream.read(&mut [0; 8]).expect_err("it is reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn without_a_broker_clients_are_reset() {
    let gone = broker();
    let at = gone.1;
    drop(gone);
    let proxy = proxy(at, &[]);
    let mut stream = TcpStream::connect(proxy.1).expect("it listens");
    let error = stream.read(&mut [0; 8]).expect_err("it is reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn the_suite_passes_through_a_proxy_that_cuts_bytes() {
    let broker = broker();
    let proxy = proxy(broker.1, &["--network", "{ latency: 2ms, jitter: 2ms, split: boundaries }"]);
    let url = format!("mqtt://{}", proxy.1);
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args([
            "run",
            "exactly-once/publisher-cut-qos-2",
            "session/resumed-with-its-contents",
            "--broker",
            &url,
            "--evidence",
        ])
        .arg(folder.path())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("the command runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(" passed"), "{text}");
}

#[test]
fn bad_usage_is_said_once() {
    for (arguments, word) in [
        (["--to", "127.0.0.1:1", "--network", "{ latensy: 1s }"].as_slice(), "did you mean `latency`?"),
        (["--to", "127.0.0.1:1", "nowhere.yaml"].as_slice(), "cannot read nowhere.yaml"),
        (["--to", "127.0.0.1"].as_slice(), "expected HOST:PORT"),
        (["--to", "127.0.0.1:1", "--listen", "127.0.0.1:99999"].as_slice(), "cannot listen at"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        let output = command.arg("proxy").args(arguments).output().expect("the command runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(word), "{text}");
    }
}
