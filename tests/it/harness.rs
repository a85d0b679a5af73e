//! What each test stands on: a server of its own, people who call it, and a city in its database.

mod app;
mod calls;
mod city;
mod people;

pub use self::{
    app::{App, START, Wish},
    calls::{Call, to},
    city::{City, FOREIGN_PLATE, PLATE},
    people::{Bearer, User, fact, fields, reason, request_id},
};
