/*---
name: listing_prices
title: {zh: 挂网价, en: "Listed prices with their pack, in the days they were in force"}
---*/
-- lowest_price: no line of the code can be above the listing when its price is not above this, whatever pack it counts.
with

codes_smallest_pack as (
    select national_code, min(pack_size) as pack_size
    from products
    where pack_size > 0
    group by national_code
),

final as (
    select
        l.listing_id,
        l.national_code,
        l.supplier_party_id,
        left(l.region_code, 2) as province,
        l.listed_price,
        case when p.pack_size > 0 then p.pack_size end as pack_size,
        cast(coalesce(l.listed_from, date '1900-01-01') as timestamp) - interval '8 hours' as listed_from,
        cast(coalesce(l.listed_to, date '2200-01-01') as timestamp) - interval '8 hours' as listed_to,
        case
            when p.pack_size > s.pack_size
                -- less what rounding may have added
                then cast(l.listed_price * s.pack_size / p.pack_size as decimal(18, 4)) - 0.0001
            else l.listed_price
        end as lowest_price
    from platform_listings as l
    left join products as p on l.product_id = p.product_id
    left join codes_smallest_pack as s on l.national_code = s.national_code
    where l.listed_price > 0 and l.national_code is not null
)

select * from final
