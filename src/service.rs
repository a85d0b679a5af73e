//! The generated services, implemented: parse, begin, load, decide, save, commit, reply. No SQL,
//! and no rule of the domain.

pub mod common;
pub mod complaint;
pub mod conduct;
pub mod duty;
pub mod enterprise;
pub mod gate;
pub mod identity;
pub mod liaison;
mod looking;
pub mod pass;
pub mod policy;
pub mod status;
pub mod wire;

/// The messages and services generated from `proto/`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::disallowed_methods,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod pb {
    tonic::include_proto!("jingqi.v1");
    include!(concat!(env!("OUT_DIR"), "/common.rs"));

    /// The descriptor set of all services: reflection and the policy test read it.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/jingqi.bin"));
}

/// Writes the trait methods that only open the request and wrap the answer. A row that ends with
/// `= act(Action::Suspend)` is answered by `act`, with that as its last argument.
macro_rules! rpc {
    (@answer $room:ty, $self:expr, $cx:expr, $request:expr, $method:ident) => {
        <$room>::$method($self, $cx, $request)
    };
    (@answer $room:ty, $self:expr, $cx:expr, $request:expr, $method:ident = $act:ident($with:expr)) => {
        <$room>::$act($self, $cx, $request, $with)
    };
    (
        $service:path, $room:ty {
            $($method:ident($request:ty) -> $reply:ty $(= $act:ident($with:expr))?;)+
        }
        $(streams { $($stream:ident($asked:ty) -> $item:ty as $name:ident;)+ })?
    ) => {
        #[tonic::async_trait]
        impl $service for $room {
            $(
                async fn $method(
                    &self,
                    request: tonic::Request<$request>,
                ) -> Result<tonic::Response<$reply>, tonic::Status> {
                    let (cx, request) = $crate::service::wire::open(request)?;
                    let answer = $crate::service::rpc!(
                        @answer $room, self, &cx, request, $method $(= $act($with))?
                    );
                    $crate::service::wire::close(answer.await)
                }
            )+
            $($(
                type $name = $crate::service::wire::Items<$item>;

                async fn $stream(
                    &self,
                    request: tonic::Request<$asked>,
                ) -> Result<tonic::Response<Self::$name>, tonic::Status> {
                    let (cx, request) = $crate::service::wire::open(request)?;
                    $crate::service::wire::close(<$room>::$stream(self, &cx, request).await)
                }
            )+)?
        }
    };
}
pub(crate) use rpc;
