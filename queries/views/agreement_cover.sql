/*---
name: agreement_cover
title: {zh: 廉洁协议连续有效期, en: "Unbroken periods in which an agreement was in force, per hospital, supplier and kind"}
---*/
-- Registers write the last day of one agreement and the first of the next (12-31, 01-01): a seam of one day is no gap.
with

intervals as (
    select * from agreement_intervals
),

-- most have one agreement, which needs no looking for seams
signers as (
    select
        hospital_id,
        supplier_party_id,
        kind,
        count(*) as agreements,
        min(starts_on) as starts_on,
        max(ends_on) as ends_on
    from intervals
    group by hospital_id, supplier_party_id, kind
),

intervals_of_several as (
    select i.* from intervals as i
    inner join signers as s
        on i.hospital_id = s.hospital_id and i.supplier_party_id = s.supplier_party_id and i.kind = s.kind
    where s.agreements > 1
),

reach as (
    select
        *,
        max(ends_on) over (
            partition by hospital_id, supplier_party_id, kind
            order by starts_on, ends_on, agreement_id
            rows between unbounded preceding and 1 preceding
        ) as covered_to
    from intervals_of_several
),

breaks as (
    select
        *,
        sum(case when covered_to is null or starts_on - covered_to > 1 then 1 else 0 end) over (
            partition by hospital_id, supplier_party_id, kind
            order by starts_on, ends_on, agreement_id
            rows between unbounded preceding and current row
        ) as stretch
    from reach
),

stretches as (
    select
        hospital_id,
        supplier_party_id,
        kind,
        min(starts_on) as starts_on,
        max(ends_on) as ends_on
    from breaks
    group by hospital_id, supplier_party_id, kind, stretch
),

final as (
    select
        *,
        lead(starts_on) over (
            partition by hospital_id, supplier_party_id, kind order by starts_on
        ) as renewed_on
    from stretches
    union all
    select hospital_id, supplier_party_id, kind, starts_on, ends_on, cast(null as date) as renewed_on
    from signers
    where agreements = 1
)

select * from final
