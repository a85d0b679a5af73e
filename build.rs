//! Compiles proto/ without protoc, and points sqlx to what stands beside the migrations: the query cache, and what
//! columns hold.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let proto = manifest.join("proto");
    println!("cargo:rerun-if-changed=proto");
    columns(&manifest)?;
    // The files one by one: the query cache beside them is written by the build itself.
    for entry in fs::read_dir(manifest.join("migrations"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    println!(
        "cargo:rustc-env=SQLX_OFFLINE_DIR={}",
        manifest.join("migrations").join(".sqlx").display()
    );

    let mut files = fs::read_dir(proto.join("jingqi/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "proto"));
    files.sort();
    let descriptors = protox::compile(&files, [&proto])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Reflection and the policy test read the same set that the code is generated from.
    fs::write(out.join("jingqi.bin"), descriptors.encode_to_vec())?;
    fs::write(out.join("common.rs"), common(&descriptors))?;
    tonic_prost_build::configure().build_transport(true).compile_fds(descriptors)?;
    Ok(())
}

/// Puts what columns hold where the macros of sqlx look for it, and nowhere else: beside Cargo.toml, where git does
/// not see it. It is as old as its source, so that cargo does not take it for a change.
fn columns(manifest: &Path) -> io::Result<()> {
    let (source, copy) = (manifest.join("migrations/sqlx.toml"), manifest.join("sqlx.toml"));
    for file in [&source, &copy] {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    let text = fs::read(&source)?;
    if fs::read(&copy).is_ok_and(|copied| copied == text) {
        return Ok(());
    }
    fs::write(&copy, text)?;
    File::options().write(true).open(&copy)?.set_modified(fs::metadata(&source)?.modified()?)
}

/// What requests have in common is said by one trait each: the request id; size and token of a page. So is what
/// closed lists have: an entry is found by its name.
fn common(descriptors: &prost_types::FileDescriptorSet) -> String {
    let messages = descriptors.file.iter().flat_map(|file| &file.message_type);
    let mut said = Vec::new();
    for message in messages.filter(|it| it.name().ends_with("Request")) {
        let has = |name: &str| message.field.iter().any(|field| field.name() == name);
        let mut say = |of: &str, methods: &str| {
            let name = message.name();
            said.push(format!("impl crate::service::wire::{of} for {name} {{ {methods} }}"));
        };
        if has("request_id") {
            say("Once", "fn request_id(&self) -> &str { &self.request_id }");
        }
        if has("page_size") && has("page_token") {
            say(
                "Paged",
                "fn page_size(&self) -> i32 { self.page_size }
                 fn page_token(&self) -> &str { &self.page_token }",
            );
        }
    }
    let top =
        descriptors.file.iter().flat_map(|file| &file.enum_type).map(|it| it.name().to_owned());
    let nested = descriptors.file.iter().flat_map(|file| &file.message_type).flat_map(|message| {
        let of = module(message.name());
        message.enum_type.iter().map(move |it| format!("{of}::{}", it.name()))
    });
    said.extend(top.chain(nested).map(|name| {
        format!(
            "impl crate::service::wire::Enumerated for {name} {{
                fn entry(name: &str) -> Option<Self> {{ Self::from_str_name(name) }}
            }}"
        )
    }));
    said.join("\n")
}

/// The module in which what is nested in a message stands.
fn module(message: &str) -> String {
    let mut name = String::new();
    for letter in message.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
