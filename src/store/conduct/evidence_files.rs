//! The bytes of evidence, beside those of attachments, under ids that say nothing. What comes is sealed
//! under a key that the reporter's secret alone gives, so that until it is cleaned nobody else can open
//! it, not even who holds the database, the files and the master key together. What is kept is sealed
//! by the vault, piece by piece.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, local::LocalFileSystem, path::Path};
use uuid::Uuid;

use crate::{
    clock::Ids,
    crypto::{self, Sealer, Suite},
    domain::{
        conduct::{EVIDENCE_CHUNK_BYTES_MAX, Slip},
        enterprise::attachment::pieces::Came,
    },
    error::{Error, Result},
    store::{Vault, enterprise::pieces::Pieces},
};

const KEY_ID: [u8; 4] = [0, 0, 0, 1];
/// By how much a sealed part is longer: the id of the key, the nonce, the tag.
const SEAL_BYTES: usize = 4 + 12 + 16;

/// The bytes of evidence.
#[derive(Debug, Clone)]
pub struct EvidenceFiles(Arc<LocalFileSystem>);

/// What opens what has come of a piece, for as long as its reporter is here.
pub struct ChunkSealer {
    id: Uuid,
    sealer: Sealer,
}

impl ChunkSealer {
    /// The key of a piece and of the secret of its report.
    pub fn new(vault: &Vault, id: Uuid, secret: &Slip) -> Result<Self> {
        let master = vault.key("conduct-evidence-chunk");
        let said = [id.as_bytes().as_slice(), secret.letters().as_bytes()].concat();
        let key = zeroize::Zeroizing::new(crypto::mac(Suite::Intl, &master, &said));
        Ok(Self { id, sealer: Sealer::new(KEY_ID, &key).map_err(Error::internal)? })
    }
}

impl ChunkSealer {
    /// Opens what lies there, part by part.
    pub fn open(&self, sealed: &[u8], came: Came) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let Some(piece_bytes) = came.piece_bytes else { return Ok(content) };
        for part in sealed.chunks(sealed_bytes(piece_bytes)?) {
            let purpose = content.len().to_string();
            let part = self.sealer.open(purpose.as_bytes(), part).map_err(Error::internal)?;
            content.extend_from_slice(&part);
        }
        Ok(content)
    }
}

impl EvidenceFiles {
    /// In the folder of attachments.
    #[must_use]
    pub const fn new(files: Arc<LocalFileSystem>) -> Self {
        Self(files)
    }

    /// Keeps a part that came, sealed, in the one file of all of them; the same again replaces it. Each lies
    /// behind as many whole ones as were before it.
    pub async fn put_chunk(
        &self,
        sealer: &ChunkSealer,
        (offset, piece_bytes): (i64, i32),
        data: &[u8],
        ids: &Ids,
    ) -> Result<()> {
        let purpose = offset.to_string();
        let sealed = sealer.sealer.seal(ids.bytes(), purpose.as_bytes(), data);
        let sealed = sealed.map_err(Error::internal)?;
        let before = offset.checked_div(i64::from(piece_bytes)).unwrap_or_default();
        let before = u64::try_from(before).map_err(Error::internal)?;
        let each = u64::try_from(sealed_bytes(piece_bytes)?).map_err(Error::internal)?;
        let place = before.saturating_mul(each);
        Pieces::new(self.0.clone()).put(&came_path(sealer.id), place, &sealed).await
    }

    /// What came, sealed as it lies there.
    pub async fn sealed(&self, id: Uuid, came: Came) -> Result<Vec<u8>> {
        let Some(piece_bytes) = came.piece_bytes.filter(|_| came.bytes > 0) else {
            return Ok(Vec::new());
        };
        let parts = u64::try_from(came.bytes).map_err(Error::internal)?;
        let parts = parts.div_ceil(u64::try_from(piece_bytes).map_err(Error::internal)?.max(1));
        let seals = parts.saturating_mul(u64::try_from(SEAL_BYTES).map_err(Error::internal)?);
        let length = u64::try_from(came.bytes).map_err(Error::internal)?.saturating_add(seals);
        Pieces::new(self.0.clone()).whole(&came_path(id), length).await
    }

    /// Keeps what was cleaned, sealed piece by piece.
    pub async fn keep(&self, vault: &Vault, id: Uuid, content: &[u8], ids: &Ids) -> Result<()> {
        for (index, piece) in content.chunks(EVIDENCE_CHUNK_BYTES_MAX).enumerate() {
            let sealed = vault.seal(&purpose(id, index), piece, ids.bytes())?;
            let path = kept_path(id, index);
            self.0.put(&path, sealed.into()).await.map_err(Error::internal)?;
        }
        Ok(())
    }

    /// A piece of what is kept.
    pub async fn read(&self, vault: &Vault, id: Uuid, index: usize) -> Result<Vec<u8>> {
        let sealed = self.bytes(&kept_path(id, index)).await?;
        vault.open(&purpose(id, index), &sealed)
    }

    /// Takes away what came, also by an older version, whose parts lay each by itself.
    pub async fn forget_chunks(&self, id: Uuid) -> Result<()> {
        Pieces::new(self.0.clone()).forget(&came_path(id)).await?;
        let chunks = self.0.list(Some(&Path::from(format!("{id}/came"))));
        let chunks: Vec<_> = chunks.try_collect().await.map_err(Error::internal)?;
        for chunk in chunks {
            self.0.delete(&chunk.location).await.map_err(Error::internal)?;
        }
        Ok(())
    }

    async fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let found = self.0.get(path).await.map_err(Error::internal)?;
        Ok(found.bytes().await.map_err(Error::internal)?.to_vec())
    }
}

/// Where what comes lies: made of a random id alone.
fn came_path(id: Uuid) -> Path {
    Path::from(format!("{id}/parts"))
}

fn sealed_bytes(piece_bytes: i32) -> Result<usize> {
    let plain = usize::try_from(piece_bytes).map_err(Error::internal)?;
    Ok(plain.saturating_add(SEAL_BYTES))
}

/// Where a piece of what is kept lies.
fn kept_path(id: Uuid, index: usize) -> Path {
    Path::from(format!("{id}/kept/{index:04}"))
}

/// What a piece is sealed for: no other piece opens in its place.
fn purpose(id: Uuid, index: usize) -> String {
    format!("conduct-evidence {id} {index}")
}
