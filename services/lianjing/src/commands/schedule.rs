//! `lianjing schedule`: jobs that the server runs by the clock.

use clap::{Args, Subcommand, ValueEnum};
use domain::sources::{Job, JobAction, JobRun};
use gateway::convert;
use proto::v1 as pb;

use super::source::time_text;
use crate::connection::Connection;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Subcommand)]
pub enum ScheduleCommand {
    /// All jobs with their next time and last run / 列出任务
    List,
    /// Make a job / 添加任务
    Add(AddArgs),
    /// Let its times pass until it is resumed / 暂停任务
    Pause(JobArgs),
    /// Run it again from its next time on / 恢复任务
    Resume(JobArgs),
    /// Forget a job / 移除任务
    Remove(JobArgs),
    /// Run it once, now / 立即运行
    RunNow(JobArgs),
    /// Sources that are silent and jobs that were missed / 运行告警
    Alarms(AlarmArgs),
}

#[derive(Debug, Clone, Args)]
pub struct JobArgs {
    /// As `schedule list` shows it / 任务编号
    pub job: String,
}

#[derive(Debug, Clone, Args)]
pub struct AlarmArgs {
    /// Also those that no longer hold / 包括已解除的
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CatchUp {
    /// One run for the newest of the missed times
    Latest,
    /// None: the next time counts
    Skip,
    /// One run for each, oldest first
    All,
}

#[derive(Debug, Clone, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["sync", "run_rules", "reconcile"])))]
pub struct AddArgs {
    /// When: minute hour day month weekday, e.g. "30 2 * * *" / 时间（cron）
    pub cron: String,
    /// Sync this source, then run the rules whose inputs changed / 同步来源
    #[arg(long, value_name = "SOURCE")]
    pub sync: Option<String>,
    /// Run rules / 运行规则
    #[arg(long)]
    pub run_rules: bool,
    /// Find rows that are gone at this source / 核对来源
    #[arg(long, value_name = "SOURCE")]
    pub reconcile: Option<String>,
    /// With --run-rules: this rule only; may be repeated / 只运行指定规则
    #[arg(long = "rule", value_name = "ID", requires = "run_rules")]
    pub rule_ids: Vec<String>,
    /// With --run-rules: only rules whose inputs or text changed / 只运行有变化的规则
    #[arg(long, requires = "run_rules")]
    pub only_changed: bool,
    /// Time zone; by default Asia/Shanghai / 时区
    #[arg(long, value_name = "ZONE", default_value = "")]
    pub zone: String,
    /// What becomes of times that passed while no server ran / 错过后的处理
    #[arg(long, value_enum, default_value_t = CatchUp::Latest)]
    pub catch_up: CatchUp,
    /// Name of the job; by default made of what it does / 任务编号
    #[arg(long, value_name = "NAME", default_value = "")]
    pub id: String,
}

const COLUMNS: [Column; 6] = [
    column("job_id", "任务", "JOB"),
    column("action", "内容", "ACTION"),
    column("cron", "时间", "CRON"),
    column("zone", "时区", "ZONE"),
    column("next", "下次", "NEXT"),
    column("last", "最近一次", "LAST"),
];

pub async fn schedule(command: &ScheduleCommand, connection: &Connection, output: &mut Output) -> CliResult {
    let mut client = connection.schedule();
    match command {
        ScheduleCommand::List => {
            let answer = client.list_jobs(pb::ListJobsRequest {}).await?.into_inner();
            show(answer.jobs, output)
        }
        ScheduleCommand::Add(args) => {
            let action = match (&args.sync, &args.reconcile) {
                (Some(source), _) => JobAction::Sync {
                    source: source.clone(),
                },
                (None, Some(source)) => JobAction::Reconcile {
                    source: source.clone(),
                },
                (None, None) => JobAction::RunRules {
                    rules: args.rule_ids.clone(),
                    only_changed: args.only_changed,
                },
            };
            let catch_up = match args.catch_up {
                CatchUp::Latest => pb::CatchUp::Latest,
                CatchUp::Skip => pb::CatchUp::Skip,
                CatchUp::All => pb::CatchUp::All,
            };
            let request = pb::AddJobRequest {
                job_id: args.id.clone(),
                action: Some(convert::action_to_proto(&action)),
                cron: args.cron.clone(),
                zone: args.zone.clone(),
                catch_up: catch_up.into(),
            };
            let answer = client.add_job(request).await?.into_inner();
            show(answer.job.into_iter().collect(), output)
        }
        ScheduleCommand::Pause(args) => {
            let request = pb::PauseJobRequest {
                job_id: args.job.clone(),
            };
            let answer = client.pause_job(request).await?.into_inner();
            show(answer.job.into_iter().collect(), output)
        }
        ScheduleCommand::Resume(args) => {
            let request = pb::ResumeJobRequest {
                job_id: args.job.clone(),
            };
            let answer = client.resume_job(request).await?.into_inner();
            show(answer.job.into_iter().collect(), output)
        }
        ScheduleCommand::Remove(args) => {
            let request = pb::RemoveJobRequest {
                job_id: args.job.clone(),
            };
            client.remove_job(request).await?;
            Ok(Done::Fully)
        }
        ScheduleCommand::RunNow(args) => {
            let request = pb::RunJobNowRequest {
                job_id: args.job.clone(),
            };
            let answer = client.run_job_now(request).await?.into_inner();
            let run = convert::job_run_from_proto(answer.run.unwrap_or_default());
            output.list(&RUN_COLUMNS, vec![(run_cells(&run), &run)])?;
            match run.state.as_str() {
                "SUCCEEDED" => Ok(Done::Fully),
                _ => Err(CliError::failed(run.message)),
            }
        }
        ScheduleCommand::Alarms(args) => alarms(args, connection, output).await,
    }
}

const RUN_COLUMNS: [Column; 3] = [
    column("job_id", "任务", "JOB"),
    column("state", "状态", "STATE"),
    column("message", "说明", "MESSAGE"),
];

fn run_cells(run: &JobRun) -> Vec<String> {
    vec![run.job_id.clone(), run.state.clone(), run.message.clone()]
}

fn show(jobs: Vec<pb::Job>, output: &mut Output) -> CliResult {
    let jobs: Vec<Job> = jobs
        .into_iter()
        .map(|job| convert::job_from_proto(job).map_err(|e| CliError::failed(e.message)))
        .collect::<CliResult<_>>()?;
    let rows = jobs.into_iter().map(|job| {
        let last = job
            .last_runs
            .first()
            .map(|r| format!("{} {} {}", r.state, time_text(r.scheduled_at), r.message))
            .unwrap_or_default();
        let next = match (job.paused, job.next_at) {
            (true, _) => "PAUSED".to_owned(),
            (false, next) => next.map(time_text).unwrap_or_default(),
        };
        let cells = vec![
            job.job_id.clone(),
            job.action.summary(),
            job.cron.clone(),
            job.zone.clone(),
            next,
            last,
        ];
        (cells, job)
    });
    output.list(&COLUMNS, rows.collect::<Vec<_>>())?;
    Ok(Done::Fully)
}

const ALARM_COLUMNS: [Column; 5] = [
    column("code", "代码", "CODE"),
    column("subject", "对象", "SUBJECT"),
    column("message", "说明", "MESSAGE"),
    column("raised_at", "发生", "RAISED"),
    column("cleared_at", "解除", "CLEARED"),
];

async fn alarms(args: &AlarmArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::ListAlarmsRequest {
        include_cleared: args.all,
    };
    let answer = connection.schedule().list_alarms(request).await?.into_inner();
    let lang = output.lang;
    let alarms: Vec<_> = answer.alarms.into_iter().map(convert::alarm_from_proto).collect();
    let some_hold = alarms.iter().any(|a| a.cleared_at.is_none());
    let rows = alarms.into_iter().map(|a| {
        let cells = vec![
            a.code.clone(),
            a.subject.clone(),
            a.message.get(lang).to_owned(),
            time_text(a.raised_at),
            a.cleared_at.map(time_text).unwrap_or_default(),
        ];
        (cells, a)
    });
    output.list(&ALARM_COLUMNS, rows.collect::<Vec<_>>())?;
    if some_hold {
        tell(output.say("有未解除的运行告警。", "some alarms hold"));
        return Ok(Done::Partly);
    }
    Ok(Done::Fully)
}
