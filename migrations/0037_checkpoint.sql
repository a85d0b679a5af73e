-- A camera that sees the trailer finds the pass that names it (measure 6, PA-16).

create index truck_pass_trailer on truck_pass (trailer_plate_number, valid_until)
    where trailer_plate_number <> '';
