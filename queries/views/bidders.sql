/*---
name: bidders
title: {zh: 截至日前有效参与的投标, en: "Bids that took part up to the date of the run, with their tender"}
---*/
-- A bid that was withdrawn took no part; one that was disqualified did.
with

took_part as (
    select * from bids
    where
        tender_id is not null
        and supplier_party_id is not null
        and coalesce(status, '') <> 'withdrawn'
),

with_tender as (
    select
        b.bid_id,
        b.tender_id,
        b.supplier_party_id,
        b.supplier_key,
        b.supplier_name,
        b.amount,
        b.is_winner,
        b.status,
        b.contact_phone,
        b.mac_address,
        b.document_author,
        b.deposit_account,
        t.hospital_id,
        t.title,
        t.budget,
        t.agency,
        t.handled_by as staff_id,
        local_date(coalesce(b.submitted_at, t.bid_deadline, t.opened_at, t.published_at)) as bid_on
    from took_part as b
    left join tenders as t on b.tender_id = t.tender_id
),

final as (
    select * from with_tender
    where bid_on is null or bid_on <= $as_of
)

select * from final
