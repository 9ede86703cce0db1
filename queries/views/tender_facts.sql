/*---
name: tender_facts
title: {zh: 招标项目要素与适用的公开招标限额, en: Tenders with what decides about their method and the standard in force}
---*/
-- kind: goods, works or services, by the first letter of the catalogue code (A, B, C), else by the category.
-- class_code: letter and four digits of the catalogue code (大类 and 中类).
-- standard: the amount from which a public tender is due: synced thresholds of the district, city or province, else
-- the rows of the central government shipped below. Several levels of one place: the highest, in favour of the buyer.
with

shipped_standards as (
    select * from (values
        ('goods', 'public_tender', cast(2000000 as decimal(18, 2)), date '2020-01-01', '国办发〔2019〕55号（中央预算单位，2020年版）'),
        ('services', 'public_tender', cast(2000000 as decimal(18, 2)), date '2020-01-01', '国办发〔2019〕55号（中央预算单位，2020年版）'),
        ('works', 'must_tender', cast(4000000 as decimal(18, 2)), date '2018-06-01', '必须招标的工程项目规定（发改委令第16号）第5条')
    ) as s (kind, measure, amount, effective_from, source)
),

standards as (
    select
        coalesce(region_code, '000000') as region_code,
        kind,
        measure,
        amount,
        coalesce(effective_from, date '1900-01-01') as effective_from,
        coalesce(effective_to, date '9999-12-31') as effective_to,
        source,
        threshold_id
    from procurement_thresholds
    where amount is not null
    union all
    select 'shipped', kind, measure, amount, effective_from, date '9999-12-31', source, null
    from shipped_standards
),

dated_tenders as (
    select
        t.tender_id,
        t.hospital_id,
        t.title,
        t.budget_item_code,
        t.method,
        t.budget,
        t.handled_by,
        t.status,
        t.agency,
        local_date(coalesce(t.published_at, t.bid_deadline, t.opened_at, t.awarded_at)) as started_on,
        case
            when t.catalogue_code is null then null
            when left(t.catalogue_code, 1) between 'A' and 'Z' then left(t.catalogue_code, 5)
            else left(t.catalogue_code, 4)
        end as class_code,
        case
            when left(t.catalogue_code, 1) = 'A' then 'goods'
            when left(t.catalogue_code, 1) = 'B' then 'works'
            when left(t.catalogue_code, 1) = 'C' then 'services'
            when t.category = 'works' then 'works'
            when t.category = 'service' then 'services'
            else 'goods'
        end as kind,
        -- approved before it began, or on that day
        (t.method_approval_no is not null or t.method_approved_on is not null)
        and (
            t.method_approved_on is null
            or t.method_approved_on
            <= local_date(coalesce(t.published_at, t.bid_deadline, t.opened_at, t.awarded_at))
        ) as is_approved,
        coalesce(t.status, '') in (
            'cancelled', 'failed', 'terminated', '已取消', '取消', '终止', '已终止', '流标', '废标', '失败', '已流标', '已废标'
        ) as is_void,
        coalesce(t.region_code, h.region_code, '000000') as region_code
    from tenders as t
    left join hospitals as h on t.hospital_id = h.hospital_id
),

-- where to look for a standard, the nearest place first
nearness as (
    select * from (values (4), (3), (2), (1), (0)) as n (nearness)
),

places as (
    select
        t.tender_id,
        t.kind,
        t.started_on,
        n.nearness,
        case n.nearness
            when 4 then t.region_code
            when 3 then left(t.region_code, 4) || '00'
            when 2 then left(t.region_code, 2) || '0000'
            when 1 then '000000'
            else 'shipped'
        end as place
    from dated_tenders as t
    cross join nearness as n
),

standards_in_force as (
    select
        p.tender_id,
        s.amount,
        s.source,
        s.threshold_id,
        row_number() over (
            partition by p.tender_id order by p.nearness desc, s.amount desc, s.threshold_id
        ) as choice
    from places as p
    inner join standards as s on p.place = s.region_code and p.kind = s.kind
    where
        s.measure = case when p.kind = 'works' then 'must_tender' else 'public_tender' end
        and p.started_on >= s.effective_from
        and p.started_on < s.effective_to
),

final as (
    select
        t.*,
        cast(date_part('year', t.started_on) as bigint) as fiscal_year,
        s.amount as standard,
        coalesce(s.source, s.threshold_id) as standard_source,
        s.threshold_id
    from dated_tenders as t
    left join standards_in_force as s on t.tender_id = s.tender_id and s.choice = 1
)

select * from final
