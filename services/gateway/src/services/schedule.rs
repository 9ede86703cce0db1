//! ScheduleService: jobs and alarms.

use async_trait::async_trait;
use domain::sources::{Job, NewJob};
use proto::v1 as pb;
use proto::v1::schedule_service_server::ScheduleService;
use tonic::{Request, Response};

use super::{Answer, Services, required};
use crate::convert;
use crate::status::to_status;

const JOB_ID_CHARS_MAX: usize = 64;

fn named(job_id: &str) -> Result<&str, tonic::Status> {
    required("job_id", job_id, JOB_ID_CHARS_MAX).map_err(to_status)
}

fn shown(job: &Job) -> Option<pb::Job> {
    Some(convert::job_to_proto(job))
}

#[async_trait]
impl ScheduleService for Services {
    async fn list_jobs(&self, _: Request<pb::ListJobsRequest>) -> Answer<pb::ListJobsResponse> {
        let jobs = self.ports.schedule.jobs().await.map_err(to_status)?;
        Ok(Response::new(pb::ListJobsResponse {
            jobs: jobs.iter().map(convert::job_to_proto).collect(),
        }))
    }

    async fn add_job(&self, request: Request<pb::AddJobRequest>) -> Answer<pb::AddJobResponse> {
        let request = request.into_inner();
        required("cron", &request.cron, 200).map_err(to_status)?;
        let job = NewJob {
            catch_up: convert::catch_up_from_proto(request.catch_up()),
            action: convert::action_from_proto(request.action).map_err(to_status)?,
            job_id: request.job_id,
            cron: request.cron,
            zone: request.zone,
        };
        let job = self.ports.schedule.add(job).await.map_err(to_status)?;
        Ok(Response::new(pb::AddJobResponse { job: shown(&job) }))
    }

    async fn pause_job(&self, request: Request<pb::PauseJobRequest>) -> Answer<pb::PauseJobResponse> {
        let request = request.into_inner();
        let paused = self.ports.schedule.pause(named(&request.job_id)?).await;
        let job = paused.map_err(to_status)?;
        Ok(Response::new(pb::PauseJobResponse { job: shown(&job) }))
    }

    async fn resume_job(&self, request: Request<pb::ResumeJobRequest>) -> Answer<pb::ResumeJobResponse> {
        let request = request.into_inner();
        let resumed = self.ports.schedule.resume(named(&request.job_id)?).await;
        let job = resumed.map_err(to_status)?;
        Ok(Response::new(pb::ResumeJobResponse { job: shown(&job) }))
    }

    async fn remove_job(&self, request: Request<pb::RemoveJobRequest>) -> Answer<pb::RemoveJobResponse> {
        let request = request.into_inner();
        let removed = self.ports.schedule.remove(named(&request.job_id)?).await;
        removed.map_err(to_status)?;
        Ok(Response::new(pb::RemoveJobResponse {}))
    }

    async fn run_job_now(&self, request: Request<pb::RunJobNowRequest>) -> Answer<pb::RunJobNowResponse> {
        let request = request.into_inner();
        let run = self.ports.schedule.run_now(named(&request.job_id)?).await;
        let run = run.map_err(to_status)?;
        Ok(Response::new(pb::RunJobNowResponse {
            run: Some(convert::job_run_to_proto(&run)),
        }))
    }

    async fn list_alarms(&self, request: Request<pb::ListAlarmsRequest>) -> Answer<pb::ListAlarmsResponse> {
        let cleared = request.into_inner().include_cleared;
        let alarms = self.ports.schedule.alarms(cleared).await.map_err(to_status)?;
        Ok(Response::new(pb::ListAlarmsResponse {
            alarms: alarms.iter().map(convert::alarm_to_proto).collect(),
        }))
    }
}
