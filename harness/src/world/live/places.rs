//! Where a broker listens, and which ports it can be given.
//!
//! Never the case: a connection to the listener of another version, a port that somebody else has.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use reference_broker::codec::ProtocolVersion;
use tokio::net::TcpStream;

use crate::profile::PortUse;
use crate::world::drive::{Route, Wire};

/// Ports to choose from. Ephemeral ports begin above: one of those could be taken by a connection of our own
/// while the broker is down, and a connection to it could even meet itself.
pub(super) const PORTS: std::ops::Range<u16> = 18_000..30_000;

/// Whether nobody listens on a port of this machine.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Where a broker listens for each version, in the order of [`ProtocolVersion::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    mqtt: [SocketAddr; 3],
    websocket: [Option<SocketAddr>; 3],
}

fn number(version: ProtocolVersion) -> usize {
    match version {
        ProtocolVersion::V3_1 => 0,
        ProtocolVersion::V3_1_1 => 1,
        ProtocolVersion::V5 => 2,
    }
}

impl Places {
    /// One listener for all versions, and perhaps one for WebSocket.
    pub(super) fn everywhere(address: SocketAddr, websocket: Option<SocketAddr>) -> Places {
        Places { mqtt: [address; 3], websocket: [websocket; 3] }
    }

    /// The listeners on these ports of this machine.
    pub(super) fn local(ports: &BTreeMap<PortUse, u16>) -> Places {
        let at = |port: &PortUse| ports.get(port).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, *port)));
        // A port for MQTT is always there.
        let main = at(&PortUse::Mqtt(None)).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let mut places = Places::everywhere(main, at(&PortUse::WebSocket(None)));
        for version in ProtocolVersion::ALL {
            if let Some(own) = at(&PortUse::Mqtt(Some(version))) {
                places.mqtt[number(version)] = own;
            }
            if let Some(own) = at(&PortUse::WebSocket(Some(version))) {
                places.websocket[number(version)] = Some(own);
            }
        }
        places
    }

    /// Where clients of a version connect to.
    pub(super) fn mqtt(&self, version: ProtocolVersion) -> SocketAddr {
        self.mqtt[number(version)]
    }

    /// The listeners for MQTT, each with those of its versions that `has` takes, in the order in which to ask.
    pub(super) fn listeners(
        &self,
        has: impl Fn(ProtocolVersion) -> bool,
    ) -> Vec<(SocketAddr, Vec<ProtocolVersion>)> {
        let mut listeners: Vec<(SocketAddr, Vec<ProtocolVersion>)> = Vec::new();
        for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5, ProtocolVersion::V3_1] {
            let address = self.mqtt(version);
            match listeners.iter_mut().find(|(it, _)| *it == address) {
                _ if !has(version) => {}
                Some((_, versions)) => versions.push(version),
                None => listeners.push((address, vec![version])),
            }
        }
        listeners
    }

    /// Where those of them do that use WebSocket.
    pub(super) fn websocket(&self, version: ProtocolVersion) -> Option<SocketAddr> {
        self.websocket[number(version)]
    }
}

impl Wire for Places {
    type Stream = TcpStream;

    async fn dial(&self, route: Route) -> io::Result<TcpStream> {
        let plain = Some(self.mqtt(route.version));
        let address = if route.websocket { self.websocket(route.version) } else { plain };
        // Cases that need what is not there are skipped before.
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let stream = TcpStream::connect(address).await?;
        // Each piece goes out when the network model says so, and not when a buffer is full.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn reset(&self, stream: TcpStream) {
        let _ = stream.set_zero_linger();
        drop(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_with_its_own_listener_is_found_there() {
        let ports = BTreeMap::from([
            (PortUse::Mqtt(None), 1),
            (PortUse::Mqtt(Some(ProtocolVersion::V5)), 2),
            (PortUse::WebSocket(Some(ProtocolVersion::V3_1_1)), 3),
            (PortUse::Reserved("admin".into()), 4),
        ]);
        let places = Places::local(&ports);
        assert_eq!(ProtocolVersion::ALL.map(|version| places.mqtt(version).port()), [1, 1, 2]);
        let websocket = |version| places.websocket(version).map(|address| address.port());
        assert_eq!(ProtocolVersion::ALL.map(websocket), [None, Some(3), None]);
    }
}
