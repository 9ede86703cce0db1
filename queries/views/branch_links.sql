/*---
name: branch_links
title: {zh: 总公司与分支机构, en: "Companies that are one legal person: a parent and its branches"}
---*/
-- A branch has no legal personality of its own: what holds of the parent holds of it, and the other way round. Told by
-- the register of relations or by the branch's name; of two branches of one parent the graph gives two such steps.
with

related as (
    select * from related_suppliers()
),

links as (
    select
        a_party_id as party_id,
        b_party_id as other_party_id,
        case when hops[1]['dataset'] = 'relations' then hops[1]['key'] end as relation_id,
        valid_from as since,
        valid_to as until
    from related
    where
        hops[1]['relation'] = 'branch'
        and (array_length(hops) = 1 or (array_length(hops) = 2 and hops[2]['relation'] = 'branch'))
),

final as (
    select * from links
    union all
    select
        other_party_id as party_id,
        party_id as other_party_id,
        relation_id,
        since,
        until
    from links
)

select * from final
