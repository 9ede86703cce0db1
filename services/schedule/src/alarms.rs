//! What an operator must be told without asking: jobs that were not run, sources that are silent or misconfigured.

use domain::Bilingual;
use domain::sources::{JobAction, SourceStatus};

use crate::calendar::Calendar;
use crate::error::Result;
use crate::scheduler::{SECOND, Scheduler};
use crate::store::StoredJob;

/// Scheduled times in a row that a job may miss before an alarm.
const MISSED_MAX: usize = 2;

impl Scheduler {
    /// Raises and clears alarms.
    pub(crate) async fn look_after(&self, now: i64) -> Result<()> {
        for job in self.store.jobs().await? {
            self.look_after_job(&job, now).await?;
        }
        let statuses = match self.sources.status(None).await {
            Ok(statuses) => statuses,
            Err(failure) => {
                tracing::error!(error.reason = failure.reason, error.message = %failure.message, "the sources' state cannot be read");
                return Ok(());
            }
        };
        let jobs = self.store.jobs().await?;
        for status in &statuses {
            let name = &status.source.name;
            self.set("SOURCE_MISCONFIGURED", name, misconfigured(status), now)
                .await?;
            self.set("SOURCE_SILENT", name, silent(status, &jobs, now), now)
                .await?;
        }
        Ok(())
    }

    async fn look_after_job(&self, job: &StoredJob, now: i64) -> Result<()> {
        let calendar = Calendar::parse(&job.cron, &job.zone)?;
        let waiting = match job.paused {
            true => 0,
            false => calendar.between(job.scheduled_until, now).len(),
        };
        let runs = self.store.runs(&job.job_id, 3).await?;
        let missed = waiting
            + runs
                .iter()
                .filter(|r| !matches!(r.state.as_str(), "RUNNING" | "RETRYING"))
                .take_while(|r| matches!(r.state.as_str(), "MISSED" | "LOST"))
                .count();
        // One missed time neither raises nor clears it.
        if missed > 0 && missed < MISSED_MAX {
            return Ok(());
        }
        let message = (missed > 0).then(|| {
            Bilingual::new(
                format!("任务 {} 连续两次未按时运行", job.job_id),
                format!("job {} was not run at its last two scheduled times", job.job_id),
            )
        });
        self.set("JOB_MISSED", &job.job_id, message, now).await
    }

    /// Raises the alarm with this message, or clears it where there is none.
    async fn set(&self, code: &str, about: &str, message: Option<Bilingual>, now: i64) -> Result<()> {
        match message {
            Some(message) => self.store.raise(code, about, &message, now).await,
            None => self.store.clear(code, about, now).await,
        }
    }
}

fn misconfigured(status: &SourceStatus) -> Option<Bilingual> {
    let (name, problem) = (&status.source.name, status.source.problem.as_ref()?);
    Some(Bilingual::new(
        format!("来源 {name} 的配置有误，未同步：{problem}"),
        format!("the configuration of source {name} is wrong, it is not synced: {problem}"),
    ))
}

/// Two periods of its schedule without a successful sync, or longer without a new row than its configuration bears.
fn silent(status: &SourceStatus, jobs: &[StoredJob], now: i64) -> Option<Bilingual> {
    let name = &status.source.name;
    let is_over = |allowed: Option<i64>, since: Option<i64>| {
        let lasted = now - since?;
        (lasted > allowed?).then(|| lapse(lasted))
    };
    let job = jobs
        .iter()
        .find(|j| j.action == JobAction::Sync { source: name.clone() } && !j.paused);
    let two_periods = job
        .and_then(|j| Calendar::parse(&j.cron, &j.zone).ok()?.period(now))
        .map(|period| period.saturating_mul(2));
    if let Some((zh, en)) = is_over(two_periods, status.last_success_at.or(status.first_run_at)) {
        return Some(Bilingual::new(
            format!("来源 {name} 已有两个周期（{zh}）没有成功同步"),
            format!("source {name} has not synced for two periods ({en})"),
        ));
    }
    let quiet = status
        .source
        .silence_seconds
        .map(|s| i64::try_from(s).unwrap_or(i64::MAX).saturating_mul(SECOND));
    let (zh, en) = is_over(quiet, status.last_rows_at)?;
    Some(Bilingual::new(
        format!("来源 {name} 已有 {zh}没有新数据"),
        format!("source {name} has sent no new row for {en}"),
    ))
}

/// How long that is, in Chinese and English: in minutes below two hours, in hours below two days, else in days.
fn lapse(micros: i64) -> (String, String) {
    let minutes = micros / (60 * SECOND);
    match minutes {
        ..120 => (format!("{minutes} 分钟"), format!("{minutes} min")),
        120..2_880 => (format!("{} 小时", minutes / 60), format!("{} h", minutes / 60)),
        _ => (
            format!("{} 天", minutes / 1_440),
            format!("{} days", minutes / 1_440),
        ),
    }
}
