/*---
id: TEN-04
version: 1
title: {zh: 疑似拆分采购（同一或关联供应商）, en: "Purchases that look split, same or related suppliers"}
target: MAN
status: stable
severity: medium
certainty: indicator
legal_basis:
  - {law: 政府采购法, article: "28", effective_from: 2003-01-01}
  - {law: 招标投标法, article: "4", effective_from: 2000-01-01}
why:
  zh: 同一医院在短期内把同类采购分给同一供应商或其关联企业，每笔低于公开招标限额而合计达到限额，是规避招标的典型做法。
  en: Purchases of one class from one supplier or its related companies within a short time, each below the public tender limit and together at or above it, are the usual way around a tender.
lawful_explanations:
  - zh: 框架协议项下的多次成交
    en: Call-offs under a framework agreement
  - zh: 需求分批产生，立项时无法预见
    en: The needs arose one after another and could not be foreseen
  - zh: 采购方式已经批准
    en: The method was approved
known_gaps:
  - zh: 没有中标供应商（投标或合同）的项目不计入
    en: Tenders without a known winner (bid or contract) are not counted
  - zh: 关联关系只看已登记的法定代表人和控股关系
    en: Relations are the registered ones, same legal representative and control
  - zh: 未同步限额标准时按中央标准判断
    en: Without synced thresholds the central standard is taken
inputs:
  - {dataset: tenders, max_staleness: 90d, required: [hospital_id, catalogue_code, method, budget]}
  - {dataset: bids, optional: true}
  - {dataset: contracts, optional: true}
  - {dataset: procurement_thresholds, optional: true}
  - {dataset: hospitals, optional: true}
  - {dataset: suppliers, optional: true}
  - {dataset: relations, optional: true}
params: {window_days: 90}
identity: [hospital_id, class_code, first_tender_id]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: tenders, key: [tender_id], column: tender_ids}
  - {dataset: bids, key: [bid_id], column: bid_ids}
  - {dataset: contracts, key: [contract_id], column: contract_ids}
amount_at_risk: total_budget
message:
  zh: "{first_on} 至 {last_on} 同类（{class_code}）采购 {tender_count} 个项目均由 {suppliers_text} 取得，每笔低于限额 {standard} 元，合计 {total_budget} 元。请先核对是否框架协议或需求确属先后产生。"
  en: "{tender_count} purchases of class {class_code} from {first_on} to {last_on} all went to {suppliers_text}; each below {standard} CNY, {total_budget} together. Check first for a framework agreement."
---*/
with

tenders_dated as (
    select * from tender_facts
),

winners as (
    select * from awards
),

related as (
    select * from related_suppliers()
),

-- below the limit, by other than public tender
below_limit as (
    select * from tenders_dated
    where
        method <> 'public'
        and budget < standard
        and hospital_id is not null
        and class_code is not null
        and started_on <= $as_of
),

-- call-offs are many by design
without_framework as (
    select * from below_limit
    where method <> 'framework'
),

-- approved to use another method, or nothing was bought
without_approved_or_void as (
    select * from without_framework
    where not is_approved and not is_void
),

awarded as (
    select
        t.tender_id,
        t.hospital_id,
        t.class_code,
        t.started_on,
        t.budget,
        t.standard,
        t.handled_by,
        w.supplier_party_id,
        w.supplier_key,
        w.supplier_name,
        w.bid_id,
        w.contract_id
    from without_approved_or_void as t
    inner join winners as w on t.tender_id = w.tender_id
),

-- each winner with itself, and with those it was related to on the day
own_awards as (
    select supplier_party_id as anchor, * from awarded
),

related_awards as (
    select r.a_party_id as anchor, a.*
    from awarded as a
    inner join (
        select a_party_id, b_party_id, valid_from, valid_to from related
        union
        select b_party_id, a_party_id, valid_from, valid_to from related
    ) as r
        on a.supplier_party_id = r.b_party_id
    where
        (r.valid_from is null or r.valid_from <= a.started_on)
        and (r.valid_to is null or r.valid_to > a.started_on)
),

awards_of_anchor as (
    select distinct * from own_awards
    union
    select distinct * from related_awards
),

-- from each award on, what the same anchor won within the window
windows as (
    select
        opening.anchor,
        opening.hospital_id,
        opening.class_code,
        opening.tender_id,
        opening.started_on as opens_on
    from awards_of_anchor as opening
    inner join awards_of_anchor as later
        on
            opening.anchor = later.anchor
            and opening.hospital_id = later.hospital_id
            and opening.class_code = later.class_code
    where later.started_on >= opening.started_on and later.started_on - opening.started_on <= $window_days
    group by
        opening.anchor, opening.hospital_id, opening.class_code, opening.tender_id, opening.started_on
    having cast(sum(later.budget) as decimal(18, 2)) >= max(later.standard) and count(distinct later.tender_id) >= 2
),

-- windows that overlap are one series
windows_in_order as (
    select
        *,
        case
            when
                opens_on - lag(opens_on) over (
                    partition by anchor, hospital_id, class_code order by opens_on, tender_id
                ) <= $window_days then 0
            else 1
        end as is_new
    from windows
),

windows_in_series as (
    select
        *,
        sum(is_new) over (
            partition by anchor, hospital_id, class_code order by opens_on, tender_id
            rows between unbounded preceding and current row
        ) as series
    from windows_in_order
),

series_spans as (
    select
        anchor,
        hospital_id,
        class_code,
        series,
        min(opens_on) as opens_on,
        max(opens_on) as last_opens_on
    from windows_in_series
    group by anchor, hospital_id, class_code, series
),

series_awards as (
    select s.series, s.opens_on, a.*
    from series_spans as s
    inner join awards_of_anchor as a
        on s.anchor = a.anchor and s.hospital_id = a.hospital_id and s.class_code = a.class_code
    where a.started_on >= s.opens_on and a.started_on - s.last_opens_on <= $window_days
),

series_tenders as (
    select
        anchor,
        hospital_id,
        class_code,
        series,
        first_value(tender_id order by started_on, tender_id) as first_tender_id,
        first_value(supplier_key order by started_on, tender_id, supplier_key) as supplier_key,
        first_value(supplier_name order by started_on, tender_id, supplier_key) as supplier_name,
        min(started_on) as first_on,
        max(started_on) as last_on,
        count(distinct tender_id) as tender_count,
        cast(sum(budget) as decimal(18, 2)) as total_budget,
        max(standard) as standard,
        max(handled_by) as staff_id,
        array_to_string(array_sort(array_agg(distinct supplier_name)), '、') as suppliers_text,
        array_sort(array_agg(distinct tender_id)) as tender_ids,
        array_sort(array_agg(distinct bid_id)) as bid_ids,
        array_sort(array_agg(distinct contract_id)) as contract_ids
    from series_awards
    group by anchor, hospital_id, class_code, series
),

-- related suppliers see the same series from each end: the fullest view stands for all
ranked as (
    select
        *,
        row_number() over (
            partition by hospital_id, class_code, first_tender_id
            order by tender_count desc, total_budget desc, anchor
        ) as choice
    from series_tenders
),

final as (
    select
        hospital_id,
        class_code,
        first_tender_id,
        supplier_key,
        supplier_name,
        first_on,
        last_on,
        tender_count,
        total_budget,
        standard,
        staff_id,
        suppliers_text,
        tender_ids,
        bid_ids,
        contract_ids
    from ranked
    where choice = 1
)

select * from final
