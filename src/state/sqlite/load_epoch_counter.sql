SELECT last FROM epoch_counter
