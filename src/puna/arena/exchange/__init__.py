"""What leaves the arena as files, and what comes back (contract arena §2.11).

records      everything as JSON, one record a line
table        votes as CSV, as public ranking tools read them
preferences  votes as pairs of a chosen and a rejected answer, for training
archive      all that can leave, from the database
report       boards, votes and sessions to read, as Markdown or as one page
checking     a vote of a file from outside
saved        a session, a roster or prompts of a file from outside
parcel       our own JSON and CSV, read and checked
importing    what of it is new goes into the database
"""
