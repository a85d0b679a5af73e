//! Jingqi (警企通): the services a city's police opens to its enterprises, truck passes first.
//!
//! A call passes one gate, becomes one context, is answered by one pure decision, is stored by one
//! transaction, and fails through one catalogue. The floors, each naming only those below it:
//!
//! | Floor | Rooms |
//! |---|---|
//! | 5 | `main`, `server`, `config`, `telemetry`, `sandbox`: wiring |
//! | 4 | `service`, `worker`, `web`: the API, the loops beside it, its line for mini-programs |
//! | 3 | `parts`: what servers and workers are made of |
//! | 2 | `store`, `remote`: what we keep, whom we call |
//! | 1 | `domain`: the rules, pure |
//! | 0 | `error`, `id`, `clock`, `actor`, `context`, `token`, `crypto`, `named` |

pub mod actor;
pub mod address;
pub mod clock;
pub mod config;
pub mod context;
pub mod crypto;
pub mod domain;
pub mod error;
pub mod id;
pub mod named;
pub mod parts;
pub mod remote;
pub mod sandbox;
pub mod server;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod web;
pub mod worker;
