/*---
id: TEN-06
version: 1
title: {zh: 先施工后招标, en: Built before it was tendered}
target: MAN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 招标投标法, article: "4", effective_from: 2000-01-01}
  - {law: 招标投标法, article: "49", effective_from: 2000-01-01}
why:
  zh: 进场、开工、首笔进度款或材料进场早于招标公告（或早于中标通知），说明承包人在招标前已经内定。
  en: When moving in, start of work, a progress payment or material precedes the tender notice, or the award, the contractor was settled before the tender.
lawful_explanations:
  - zh: 抢险救灾等依法可以不招标的应急工程
    en: Emergency works that need no tender
  - zh: 节点属于前一标段或前期准备（勘察、拆除）
    en: The event belongs to an earlier lot or to preparation such as survey or demolition
known_gaps:
  - zh: 公告之后、中标之前开工的情节较轻，与公告之前开工同样列出，文字中分别说明
    en: Starting after the notice but before the award is the lesser case; both are told, the text says which
  - zh: 既无公告日期也无中标日期的项目不判断
    en: Tenders with neither a date of notice nor of award are not judged
inputs:
  - {dataset: tenders, required: [published_at]}
  - {dataset: works_events, required: [kind, on_date]}
  - {dataset: contracts, optional: true}
params: {tolerance_days: 0, kinds: [mobilised, started, progress_payment, material]}
identity: [tender_id]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: tenders, key: [tender_id], column: tender_id}
  - {dataset: works_events, key: [event_id], column: event_ids}
  - {dataset: contracts, key: [contract_id], column: contract_ids}
amount_at_risk: amount
message:
  zh: "项目 {tender_id}（{title}）{milestone_on} 才{milestone_zh}，而 {first_on} 已经施工，早 {days_early} 天。请先核对是否应急工程或前期准备。"
  en: "Tender {tender_id} ({title}) was {milestone_en} on {milestone_on}, but work had begun on {first_on}, {days_early} days before. Check first for emergency works or preparation."
---*/
with

tenders_published as (
    select
        tender_id,
        hospital_id,
        title,
        handled_by as staff_id,
        budget as amount,
        local_date(published_at) as published_on,
        local_date(awarded_at) as awarded_on
    from tenders
    where coalesce(local_date(published_at), local_date(awarded_at)) <= $as_of
),

works_contracts as (
    select * from contracts
    where tender_id is not null
),

signs_of_work as (
    select
        coalesce(e.tender_id, c.tender_id) as tender_id,
        e.on_date,
        e.event_id,
        null as contract_id
    from works_events as e
    left join works_contracts as c on e.contract_id = c.contract_id
    where e.kind in ($kinds)
    union all
    select tender_id, work_started_on, null, contract_id from works_contracts
    where work_started_on is not null
),

-- before the notice, else at least before the award
early_signs as (
    select t.*, s.on_date, s.event_id, s.contract_id
    from tenders_published as t
    inner join signs_of_work as s on t.tender_id = s.tender_id
    where
        t.published_on - s.on_date > $tolerance_days
        or (t.awarded_on <= $as_of and t.awarded_on - s.on_date > $tolerance_days)
),

builders as (
    select tender_id, min(supplier_key) as supplier_key, min(supplier_name) as supplier_name
    from works_contracts
    group by tender_id
),

early_tenders as (
    select
        tender_id,
        min(hospital_id) as hospital_id,
        min(title) as title,
        min(staff_id) as staff_id,
        min(amount) as amount,
        min(published_on) as published_on,
        min(awarded_on) as awarded_on,
        min(on_date) as first_on,
        array_sort(array_agg(distinct event_id)) as event_ids,
        array_sort(array_agg(distinct contract_id)) as contract_ids
    from early_signs
    group by tender_id
),

milestones as (
    select
        *,
        case when published_on - first_on > $tolerance_days then published_on else awarded_on end as milestone_on,
        case when published_on - first_on > $tolerance_days then '发布招标公告' else '发出中标通知' end as milestone_zh,
        case when published_on - first_on > $tolerance_days then 'published' else 'awarded' end as milestone_en
    from early_tenders
),

final as (
    select
        m.*,
        m.milestone_on - m.first_on as days_early,
        b.supplier_key,
        b.supplier_name
    from milestones as m
    left join builders as b on m.tender_id = b.tender_id
)

select * from final
