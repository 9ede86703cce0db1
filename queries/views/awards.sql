/*---
name: awards
title: {zh: 中标结果, en: "Who won which tender: the winning bid, else the contract"}
---*/
with

winning_bids as (
    select tender_id, supplier_party_id, supplier_key, supplier_name, bid_id, null as contract_id
    from bids
    where is_winner and supplier_party_id is not null
),

contracts_of_tenders as (
    select tender_id, supplier_party_id, supplier_key, supplier_name, null as bid_id, contract_id
    from contracts
    where tender_id is not null and supplier_party_id is not null
),

contracts_without_winning_bid as (
    select c.* from contracts_of_tenders as c
    left anti join winning_bids as b on c.tender_id = b.tender_id
),

results as (
    select * from winning_bids
    union all
    select * from contracts_without_winning_bid
),

-- one row for each tender and winner
final as (
    select
        tender_id,
        supplier_party_id,
        min(supplier_key) as supplier_key,
        min(supplier_name) as supplier_name,
        min(bid_id) as bid_id,
        min(contract_id) as contract_id
    from results
    group by tender_id, supplier_party_id
)

select * from final
