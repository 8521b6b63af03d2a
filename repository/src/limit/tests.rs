use super::{Cost, Limiter, Rates};
use env::rt::time::Instant;
use env::rt::{Duration, JoinSet};

fn bytes(rate: u64) -> Rates {
    Rates { bytes_per_second: Some(rate), requests_per_second: None }
}

async fn pass(limiter: &Limiter, requests: usize, bytes: u64) -> Duration {
    let begun = Instant::now();
    for _ in 0..requests {
        limiter.take(Cost::request(bytes)).await;
    }
    begun.elapsed()
}

fn about(found: Duration, seconds: f64) {
    let found = found.as_secs_f64();
    assert!((found - seconds).abs() <= 0.02 * seconds + 0.05, "{found} s, not about {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_mean_rate_holds_for_requests_of_any_size() {
    // All but the burst, and the last request's own debt, is waited for.
    about(pass(&Limiter::new(bytes(1000)), 100, 100).await, 9.75);
    about(pass(&Limiter::new(bytes(1000)), 5, 10_000).await, 40.0);
    let requests = Rates { bytes_per_second: None, requests_per_second: Some(10) };
    about(pass(&Limiter::new(requests), 102, 1 << 30).await, 10.0);
}

#[tokio::test(start_paused = true)]
async fn no_limit_and_zero_wait_for_nothing() {
    let zero = Rates { bytes_per_second: Some(0), requests_per_second: Some(0) };
    for limiter in [Limiter::unlimited(), Limiter::new(zero), Limiter::unlimited().child(zero)] {
        assert_eq!(pass(&limiter, 1000, 1 << 40).await, Duration::ZERO);
        assert_eq!((limiter.traffic().requests, limiter.traffic().bytes), (1000, 1000 << 40));
    }
}

#[tokio::test(start_paused = true)]
async fn both_rates_and_both_levels_hold() {
    let node = Limiter::new(bytes(1000));
    let job = node.child(Rates { bytes_per_second: Some(10_000), requests_per_second: Some(2) });
    about(pass(&job, 21, 10).await, 10.0);
    about(pass(&job, 6, 2_000).await, 10.5);
    assert_eq!(node.traffic(), job.traffic());
}

#[tokio::test(start_paused = true)]
async fn a_new_rate_holds_for_who_waits_already() {
    let (node, begun) = (Limiter::new(bytes(1)), Instant::now());
    let job = node.child(Rates::default());
    let waiting = tokio::spawn({
        let job = job.clone();
        async move { pass(&job, 3, 1000).await }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!waiting.is_finished());
    node.set(bytes(1000));
    about(waiting.await.unwrap(), 12.0);
    node.set(bytes(1));
    let waiting = tokio::spawn(async move { pass(&job, 3, 1000).await });
    tokio::time::sleep(Duration::from_secs(10)).await;
    node.set(Rates::default());
    waiting.await.unwrap();
    about(begun.elapsed(), 22.0);
}

#[tokio::test(start_paused = true)]
async fn jobs_take_turns_however_much_each_has_in_flight() {
    let node = Limiter::new(bytes(1000));
    let mut tasks = JoinSet::new();
    let jobs: Vec<Limiter> = [1_usize, 16, 64].map(|_| node.child(Rates::default())).into();
    for (job, in_flight) in jobs.iter().zip([1, 16, 64]) {
        for _ in 0..in_flight {
            let job = job.clone();
            tasks.spawn(async move { pass(&job, 10_000, 100).await });
        }
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    let passed: Vec<u64> = jobs.iter().map(|job| job.traffic().requests).collect();
    assert!(passed.iter().all(|passed| (190..=210).contains(passed)), "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_holds_nobody_up() {
    let node = Limiter::new(bytes(10));
    let (a, b) = (node.child(Rates::default()), node.child(bytes(1_000_000)));
    a.take(Cost::request(100)).await;
    let given_up = tokio::time::timeout(Duration::from_secs(1), a.take(Cost::request(1_000_000))).await;
    assert!(given_up.is_err());
    about(pass(&b, 1, 2).await, 9.0);
    assert_eq!(node.traffic().bytes, 102);
}
