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
    domain::conduct_report::{EVIDENCE_CHUNK_BYTES_MAX, Slip},
    error::{Error, Result},
    store::Vault,
};

const KEY_ID: [u8; 4] = [0, 0, 0, 1];

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

impl EvidenceFiles {
    /// In the folder of attachments.
    #[must_use]
    pub const fn new(files: Arc<LocalFileSystem>) -> Self {
        Self(files)
    }

    /// Keeps what came, sealed; the same again replaces it.
    pub async fn put_chunk(
        &self,
        sealer: &ChunkSealer,
        offset: i64,
        data: &[u8],
        ids: &Ids,
    ) -> Result<()> {
        let purpose = offset.to_string();
        let sealed = sealer.sealer.seal(ids.bytes(), purpose.as_bytes(), data);
        let sealed = sealed.map_err(Error::internal)?;
        let path = chunk_path(sealer.id, offset);
        self.0.put(&path, sealed.into()).await.map_err(Error::internal)?;
        Ok(())
    }

    /// So many bytes that came, in order.
    pub async fn chunks(&self, sealer: &ChunkSealer, received_bytes: i64) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let offset = i64::try_from(content.len()).unwrap_or(i64::MAX);
            if offset >= received_bytes {
                return Ok(content);
            }
            let sealed = self.bytes(&chunk_path(sealer.id, offset)).await?;
            let purpose = offset.to_string();
            let chunk = sealer.sealer.open(purpose.as_bytes(), &sealed).map_err(Error::internal)?;
            if chunk.is_empty() {
                return Err(Error::internal("an empty chunk was stored"));
            }
            content.extend_from_slice(&chunk);
        }
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

    /// Takes away what came.
    pub async fn forget_chunks(&self, id: Uuid) -> Result<()> {
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

/// Where a chunk lies: made of a random id alone.
fn chunk_path(id: Uuid, offset: i64) -> Path {
    Path::from(format!("{id}/came/{offset:012}"))
}

/// Where a piece of what is kept lies.
fn kept_path(id: Uuid, index: usize) -> Path {
    Path::from(format!("{id}/kept/{index:04}"))
}

/// What a piece is sealed for: no other piece opens in its place.
fn purpose(id: Uuid, index: usize) -> String {
    format!("conduct-evidence {id} {index}")
}
