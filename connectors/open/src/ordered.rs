//! Work spread over threads whose results come in the order of the jobs.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Runs `work` on every job with `threads` threads and gives the results to `deliver`, in order. At most two
/// jobs and two results a thread are held. Stops at the first error of `deliver`. False when a thread
/// stopped unexpectedly.
pub fn ordered<J: Send, T: Send, E>(
    threads: usize,
    jobs: impl Iterator<Item = J> + Send,
    work: impl Fn(J) -> T + Sync,
    mut deliver: impl FnMut(T) -> Result<(), E>,
) -> Result<bool, E> {
    std::thread::scope(|scope| {
        let work = &work;
        let mut to_workers: Vec<SyncSender<J>> = Vec::new();
        let mut results: Vec<Receiver<T>> = Vec::new();
        let mut workers = Vec::new();
        for _ in 0..threads.max(1) {
            let (give, take) = sync_channel::<J>(1);
            let (tell, hear) = sync_channel(1);
            to_workers.push(give);
            results.push(hear);
            workers.push(scope.spawn(move || {
                for job in take {
                    if tell.send(work(job)).is_err() {
                        return;
                    }
                }
            }));
        }
        // Job n goes to worker n modulo their number, and results are taken in the same order.
        let feeder = scope.spawn(move || {
            for (job, worker) in jobs.zip(to_workers.iter().cycle()) {
                if worker.send(job).is_err() {
                    return;
                }
            }
        });
        let mut told = Ok(());
        for hear in results.iter().cycle() {
            let Ok(result) = hear.recv() else { break };
            told = deliver(result);
            if told.is_err() {
                break;
            }
        }
        // Without receivers the workers and the feeder stop.
        drop(results);
        let whole = feeder.join().is_ok() & workers.into_iter().all(|w| w.join().is_ok());
        told.map(|()| whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_with_any_number_of_threads() {
        for threads in 1..5 {
            let mut got = Vec::new();
            let whole = ordered(
                threads,
                0..100,
                |n| n * n,
                |n| {
                    got.push(n);
                    Ok::<_, ()>(())
                },
            );
            assert_eq!(whole, Ok(true));
            assert_eq!(got, (0..100).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_stops_everything() {
        let mut count = 0;
        let stopped = ordered(
            2,
            0..,
            |n| n,
            |n| {
                count += 1;
                if n == 10 { Err(n) } else { Ok(()) }
            },
        );
        assert_eq!((stopped, count), (Err(10), 11));
    }
}
