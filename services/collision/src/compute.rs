//! Threads of the engine's own. A question may compute for long between two points at which it can be stopped: on the
//! threads that serve calls, as many such questions as there are threads would leave nobody to answer others, or to stop
//! them.

use domain::Failure;
use futures::stream::{BoxStream, StreamExt};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Items of an answer that may wait for whoever reads them.
const ITEMS_AHEAD: usize = 2;

/// As many threads as serve calls. Work on them ends when whoever waits for it goes away.
#[derive(Debug)]
pub struct Compute(Option<Runtime>);

impl Compute {
    pub fn new() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        if let Ok(serving) = Handle::try_current() {
            builder.worker_threads(serving.metrics().num_workers());
        }
        builder
            .thread_name("compute")
            .enable_all()
            .build()
            .map(Some)
            .map(Self)
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinSet<T> {
        let mut running = JoinSet::new();
        if let Some(runtime) = &self.0 {
            running.spawn_on(work, runtime.handle());
        }
        running
    }

    /// Runs work to its end.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        match self.spawn(work).join_next().await {
            Some(done) => done.map_err(|stopped| Failure::internal(&stopped)),
            None => Err(Failure::internal(&std::io::Error::other("the engine has ended"))),
        }
    }

    /// Hands on a stream that is computed here; dropping it stops the work.
    pub fn stream<T: Send + 'static>(
        &self,
        mut items: BoxStream<'static, Result<T, Failure>>,
    ) -> BoxStream<'static, Result<T, Failure>> {
        let (give, take) = mpsc::channel(ITEMS_AHEAD);
        let running = self.spawn(async move {
            while let Some(item) = items.next().await {
                if give.send(item).await.is_err() {
                    return;
                }
            }
        });
        let next = async |(mut take, mut running): (mpsc::Receiver<_>, JoinSet<()>)| {
            if let Some(item) = take.recv().await {
                return Some((item, (take, running)));
            }
            // The work has ended; how, is told in its place.
            match running.join_next().await? {
                Ok(()) => None,
                Err(stopped) => Some((Err(Failure::internal(&stopped)), (take, running))),
            }
        };
        futures::stream::unfold((take, running), next).boxed()
    }
}

impl Drop for Compute {
    /// Work that cannot be stopped is not waited for.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
