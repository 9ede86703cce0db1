/*---
name: listing_bounds
title: {zh: 挂网价下限, en: "For each span of days the price up to which a code cannot be too dear, by supplier and for all suppliers"}
---*/
-- Spans of one code and supplier do not overlap, so that a purchase line meets at most one. supplier_party_id is null
-- in the rows for all suppliers.
with

listings as (
    select * from listing_prices
),

-- days on which a listing of a code begins or ends, for each supplier and for all of them
listed_days as (
    select national_code, supplier_party_id, listed_from as day_from from listings where supplier_party_id is not null
    union
    select national_code, supplier_party_id, listed_to from listings where supplier_party_id is not null
    union
    select national_code, null, listed_from from listings
    union
    select national_code, null, listed_to from listings
),

listed_spans as (
    select
        national_code,
        supplier_party_id,
        day_from,
        lead(day_from) over (partition by national_code, supplier_party_id order by day_from) as day_to
    from listed_days
),

-- in each province the dearest listing of a span
province_bounds as (
    select
        s.national_code,
        s.supplier_party_id,
        s.day_from,
        s.day_to,
        l.province,
        max(l.lowest_price) as highest_price
    from listed_spans as s
    inner join listings as l on s.national_code = l.national_code
    where
        l.listed_from <= s.day_from
        and l.listed_to >= s.day_to
        and (s.supplier_party_id is null or s.supplier_party_id = l.supplier_party_id)
    group by s.national_code, s.supplier_party_id, s.day_from, s.day_to, l.province
),

-- no line of the code (and supplier) in the span is too dear when its price is not above this, wherever it was bought
final as (
    select national_code, supplier_party_id, day_from, day_to, min(highest_price) as price_bound
    from province_bounds
    group by national_code, supplier_party_id, day_from, day_to
)

select * from final
