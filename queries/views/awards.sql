/*---
name: awards
title: {zh: 截至日前的中标结果, en: "Who had won which tender by the date of the run: the winning bid, else the contract"}
---*/
with

-- before its award nobody knows who has won
decided_tenders as (
    select
        tender_id,
        local_date(coalesce(awarded_at, opened_at, bid_deadline, published_at)) as decided_on
    from tenders
),

undecided_tenders as (
    select tender_id from decided_tenders
    where decided_on > $as_of
),

winning_bids as (
    select b.tender_id, b.supplier_party_id, b.supplier_key, b.supplier_name, b.bid_id, null as contract_id
    from bids as b
    left anti join undecided_tenders as u on b.tender_id = u.tender_id
    where b.is_winner and b.supplier_party_id is not null
),

-- a contract without a date is as old as its tender's award
contracts_of_tenders as (
    select c.tender_id, c.supplier_party_id, c.supplier_key, c.supplier_name, null as bid_id, c.contract_id
    from contracts as c
    left join undecided_tenders as u on c.tender_id = u.tender_id
    where
        c.tender_id is not null
        and c.supplier_party_id is not null
        and (c.signed_on <= $as_of or (c.signed_on is null and u.tender_id is null))
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
