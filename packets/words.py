"""Words that keys of intake messages consist of; where values are withheld, only such keys are shown."""

WORDS = """
address attending beneficiary birth blob channel city code confidence correlation count coversheet created creation
data date decision delivery diagnosis dob document documents esmd expedited facility fax field fields file first gender
id identifier ingest initial last location medicare member message metadata middle mime name note npi number ocr
ordering package packet page pages path payload phone physician portal practitioner procedure provider ptan raw
received rendering request requester sender service size source state status submission submitted time timestamp
tracking transaction type unique updated url value version zip
"""
