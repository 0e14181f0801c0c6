//! What lies between the bytes of a network connection and those of MQTT.
//!
//! MQTT over TCP needs nothing here. [`websocket`] is section 6 of the standards: the server's end of a WebSocket
//! (RFC 6455) as a state machine, with the parts that a client can use as well.
//!
//! Never the case: a clock, a socket, a random number, a buffer that grows with what the peer sends.

pub mod websocket;
