"""Set-up: what the promises stand on is there, valid, switched on and as the migrations made it. Read only."""
