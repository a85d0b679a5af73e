//! Jingqi (警企通): the services a city's police opens to its enterprises, truck passes first.
//!
//! A call passes one gate, becomes one context, is answered by one pure decision, is stored by one
//! transaction, and fails through one catalogue. The floors, each naming only those below it:
//!
//! | Floor | Rooms |
//! |---|---|
//! | 5 | `main`, `server`, `config`, `telemetry`, `sandbox`: wiring; `surface`: what is named from outside |
//! | 4 | `service`, `worker`, `web`: the API, the loops beside it, its line for mini-programs |
//! | 3 | `parts`: what servers and workers are made of |
//! | 2 | `store`, `remote`: what we keep, whom we call |
//! | 1 | `domain`: the rules, pure |
//! | 0 | `error`, `id`, `clock`, `actor`, `context`, `token`, `crypto`, `named` |

#![warn(clippy::missing_docs_in_private_items)]
#![allow(rustdoc::private_intra_doc_links, reason = "it is read with its private items")]

mod actor;
mod address;
mod clock;
mod config;
mod context;
mod crypto;
mod domain;
mod error;
mod id;
mod named;
mod parts;
mod remote;
mod sandbox;
mod server;
mod service;
mod store;
pub mod surface;
mod telemetry;
mod token;
mod web;
mod worker;
