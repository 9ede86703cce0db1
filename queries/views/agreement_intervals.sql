/*---
name: agreement_intervals
title: {zh: 廉洁协议生效区间, en: Integrity agreements with the days on which they bind}
---*/
-- An agreement binds from its period's start but not before it was signed: a later signature heals nothing backwards.
-- One signed by a parent company binds its branches, and the other way round.
with

signed as (
    select
        agreement_id,
        hospital_id,
        supplier_party_id,
        kind,
        coalesce(greatest(valid_from, signed_on), date '1900-01-01') as starts_on,
        coalesce(valid_to, date '9999-12-31') as ends_on
    from agreements
    where hospital_id is not null and supplier_party_id is not null and kind is not null
),

known_by_now as (
    select * from signed
    where starts_on <= $as_of and starts_on < ends_on
),

signed_by_branch_or_parent as (
    select
        a.agreement_id,
        a.hospital_id,
        b.other_party_id as supplier_party_id,
        a.kind,
        greatest(a.starts_on, b.since) as starts_on,
        least(a.ends_on, b.until) as ends_on
    from known_by_now as a
    inner join branch_links as b on a.supplier_party_id = b.party_id
),

final as (
    select * from known_by_now
    union all
    select * from signed_by_branch_or_parent
    where starts_on < ends_on
)

select * from final
