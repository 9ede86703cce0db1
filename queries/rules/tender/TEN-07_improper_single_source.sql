/*---
id: TEN-07
version: 1
title: {zh: 违规单一来源采购, en: Improper single source}
target: MAN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 政府采购法, article: "31", effective_from: 2003-01-01}
  - {law: 政府采购法, article: "27", effective_from: 2003-01-01}
  - {law: 政府采购法实施条例, article: "27", effective_from: 2015-03-01}
  - {law: 政府采购法实施条例, article: "38", effective_from: 2015-03-01}
why:
  zh: 单一来源只限于唯一供应商、不可预见的紧急情况和原项目配套添购；达到公开招标数额标准的须事先批准并公示不少于5个工作日。
  en: Single source is for a unique supplier, an unforeseen emergency or a consistent addition only; at or above the public tender standard it needs approval beforehand and at least five working days of notice.
lawful_explanations:
  - zh: 批复或公示材料未录入
    en: Approval or notice exist but are not in the register
  - zh: 其他挂网企业的产品不能替代（专利、专有技术）
    en: The products of the other listed suppliers cannot replace it (patent, know-how)
known_gaps:
  - zh: 公示起止以公告日期和开标（协商）日期代替
    en: The notice is taken to run from publication to opening
  - zh: 工作日历未覆盖的日期按工作日计，有利于采购人
    en: Days that the calendar does not cover count as working days, in favour of the buyer
  - zh: 未同步产品和挂网目录时不判断是否另有供应商
    en: Without products and listings it is not judged whether others supply the same
  - zh: 未同步限额标准时按中央标准判断
    en: Without synced thresholds the central standard is taken
inputs:
  - {dataset: tenders, max_staleness: 90d, required: [method, budget, justification]}
  - {dataset: procurement_thresholds, optional: true}
  - {dataset: hospitals, optional: true}
  - {dataset: workdays, optional: true}
  - {dataset: products, optional: true}
  - {dataset: platform_listings, optional: true}
  - {dataset: bids, optional: true}
  - {dataset: contracts, optional: true}
params: {notice_workdays: 5, other_suppliers_min: 2}
identity: [tender_id]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: tenders, key: [tender_id], column: tender_id}
  - {dataset: platform_listings, key: [listing_id], column: listing_ids}
  - {dataset: procurement_thresholds, key: [threshold_id], column: threshold_id}
amount_at_risk: budget
message:
  zh: "项目 {tender_id}（{title}，{budget} 元）采用单一来源：{reasons_zh}。请先核对批复、公示和不可替代的说明。"
  en: "Tender {tender_id} ({title}, {budget} CNY) by single source: {reasons_en}. Check first approval, notice and the grounds why nothing else would do."
---*/
with

tenders_dated as (
    select * from tender_facts
),

tenders_plain as (
    select
        tender_id,
        product_id,
        nullif(trim(justification), '') as justification,
        local_date(published_at) as notice_from,
        local_date(opened_at) as notice_to
    from tenders
    where method = 'single_source'
),

winners as (
    select tender_id, min(supplier_party_id) as supplier_party_id, min(supplier_key) as supplier_key,
        min(supplier_name) as supplier_name
    from awards
    group by tender_id
),

single_sources as (
    select
        t.tender_id,
        t.hospital_id,
        t.title,
        t.budget,
        t.handled_by as staff_id,
        t.started_on,
        t.is_approved,
        t.standard,
        t.threshold_id,
        p.product_id,
        p.justification,
        p.notice_from,
        p.notice_to,
        -- urgency and additions need no unique supplier
        coalesce(regexp_like(
            lower(p.justification), '紧急|应急|急救|抢救|不可预见|添购|追加|配套|一致性|emergency|urgent|addition|consisten'
        ), false) as is_urgent_or_addition
    from tenders_dated as t
    inner join tenders_plain as p on t.tender_id = p.tender_id
    where not t.is_void and t.started_on <= $as_of
),

-- no ground is given at all
without_ground as (
    select tender_id, 1 as reason_no, '未说明采用理由' as reason_zh, 'no ground is given' as reason_en
    from single_sources
    where justification is null
),

-- at or above the standard, not approved before it began
without_approval as (
    select tender_id, 2 as reason_no, '达到公开招标数额标准而无事先批复' as reason_zh, 'at or above the standard without approval beforehand' as reason_en
    from single_sources
    where budget >= standard and not is_approved
),

-- the days of notice that are known to be free
free_days as (
    select t.tender_id, count(*) as free_days
    from single_sources as t
    inner join workdays as w on w.day >= t.notice_from and w.day < t.notice_to
    where not w.is_workday
    group by t.tender_id
),

-- at or above the standard for a unique supplier, notice shorter than the law asks
notice_too_short as (
    select t.tender_id, 3 as reason_no, '公示不足规定工作日' as reason_zh, 'fewer working days of notice than required' as reason_en
    from single_sources as t
    left join free_days as f on t.tender_id = f.tender_id
    where
        t.budget >= t.standard
        and not t.is_urgent_or_addition
        and t.notice_to - t.notice_from - coalesce(f.free_days, 0) < $notice_workdays
),

same_generic as (
    select t.tender_id, other.product_id, other.national_code
    from single_sources as t
    inner join products as own on t.product_id = own.product_id
    inner join products as other on own.generic_name = other.generic_name
),

listings_of_others as (
    select s.tender_id, l.listing_id, l.supplier_party_id, l.listed_from, l.listed_to
    from same_generic as s
    inner join platform_listings as l on s.product_id = l.product_id
    union
    select s.tender_id, l.listing_id, l.supplier_party_id, l.listed_from, l.listed_to
    from same_generic as s
    inner join platform_listings as l on s.national_code = l.national_code
),

-- others had the same generic on the platform that day
other_suppliers as (
    select
        t.tender_id,
        4 as reason_no,
        '另有供应商挂网同一通用名产品' as reason_zh,
        'other suppliers list the same generic product' as reason_en,
        array_sort(array_agg(distinct l.listing_id)) as listing_ids
    from single_sources as t
    inner join listings_of_others as l on t.tender_id = l.tender_id
    left join winners as w on t.tender_id = w.tender_id
    where
        not t.is_urgent_or_addition
        and (w.supplier_party_id is null or l.supplier_party_id <> w.supplier_party_id)
        and (l.listed_from is null or l.listed_from <= t.started_on)
        and (l.listed_to is null or l.listed_to > t.started_on)
    group by t.tender_id
    -- where the winner is not known, one of those listed may be the winner
    having
        count(distinct l.supplier_party_id) - max(case when w.supplier_party_id is null then 1 else 0 end)
        >= $other_suppliers_min
),

reasons as (
    select tender_id, reason_no, reason_zh, reason_en from without_ground
    union all
    select tender_id, reason_no, reason_zh, reason_en from without_approval
    union all
    select tender_id, reason_no, reason_zh, reason_en from notice_too_short
    union all
    select tender_id, reason_no, reason_zh, reason_en from other_suppliers
),

reasons_by_tender as (
    select
        tender_id,
        string_agg(reason_zh, '；' order by reason_no) as reasons_zh,
        string_agg(reason_en, '; ' order by reason_no) as reasons_en
    from reasons
    group by tender_id
),

final as (
    select
        t.tender_id,
        t.hospital_id,
        t.title,
        t.budget,
        t.staff_id,
        t.threshold_id,
        w.supplier_key,
        w.supplier_name,
        r.reasons_zh,
        r.reasons_en,
        o.listing_ids
    from single_sources as t
    inner join reasons_by_tender as r on t.tender_id = r.tender_id
    left join winners as w on t.tender_id = w.tender_id
    left join other_suppliers as o on t.tender_id = o.tender_id
)

select * from final
