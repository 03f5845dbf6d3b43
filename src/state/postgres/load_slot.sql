SELECT system_identifier, timeline, slot_name, consistent_point, epoch
FROM freshet_state.slot WHERE pipeline = $1
