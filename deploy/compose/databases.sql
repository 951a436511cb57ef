-- One database and one role per service; runs once, when the volume is new. Passwords are for this machine only.
create role auth login password 'dev-only-auth';
create role listings login password 'dev-only-listings';
create role orders login password 'dev-only-orders';
create role compliance login password 'dev-only-compliance';
create database auth owner auth;
create database listings owner listings;
create database orders owner orders;
create database compliance owner compliance;
revoke all on database auth, listings, orders, compliance from public;
